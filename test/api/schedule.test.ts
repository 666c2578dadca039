import { describe, expect, test } from "@jest/globals";
import { lastDue, nextRun, parseSchedule, parseTimeZone } from "../../src/api/schedule.ts";

const time = (text: string): number => Date.parse(text);
const schedule = (expression: string, timeZone?: string) => ({ expression, timeZone });

test.each(["17 3 * * *", "@daily", "*/5 1-4 * jan,feb mon-fri", "0 0 1 * 1"])("%s is one", (expression) =>
  expect(parseSchedule(expression, "Europe/Berlin")).toEqual({ ok: { expression, timeZone: "Europe/Berlin" } }),
);
test.each(["", "* * * *", "* * * * * *", "60 * * * *", "@reboot", "@sometimes", "2030-01-01T00:00:00", "a b c d e"])("%s is none", (expression) =>
  expect(parseSchedule(expression, undefined)).toHaveProperty("bad"),
);
test("a day that never comes is refused", () => expect(parseSchedule("0 0 30 2 *", undefined)).toMatchObject({ bad: "a time that ever comes" }));
test("a zone that is none is told", () => {
  expect(parseTimeZone("Mars/Olympus")).toHaveProperty("bad");
  expect(parseTimeZone("Europe/Berlin")).toEqual({ ok: "Europe/Berlin" });
});

describe("beyond crontab(5)", () => {
  test.each([
    ["0 6 L * *", "2026-01-31T06:00:00Z"],
    ["0 0 * * 5L", "2026-01-30T00:00:00Z"],
    ["0 0 * * 5#2", "2026-01-09T00:00:00Z"],
    ["0 0 17W * *", "2026-01-16T00:00:00Z"],
    ["0 0 ? * *", "2026-01-02T00:00:00Z"],
    ["0 0 13 * +5", "2026-02-13T00:00:00Z"],
  ])("%s", (expression, first) => {
    expect(parseSchedule(expression, "UTC")).toHaveProperty("ok");
    expect(nextRun(schedule(expression, "UTC"), time("2026-01-01T12:00:00Z"))).toBe(time(first));
  });
});

describe("times", () => {
  test("are those of the zone", () =>
    expect(nextRun(schedule("17 3 * * *", "Europe/Berlin"), time("2026-07-01T00:00:00Z"))).toBe(time("2026-07-01T01:17:00Z")));
  test("that the clock skips come when it goes on", () =>
    expect(nextRun(schedule("30 2 * * *", "Europe/Berlin"), time("2026-03-28T12:00:00Z"))).toBe(time("2026-03-29T01:00:00Z")));
  test("are due once: the last one after what was dealt with", () => {
    const every = schedule("*/10 * * * *", "UTC");
    expect(lastDue(every, time("2026-01-01T00:00:00Z"), time("2026-01-01T03:05:00Z"))).toBe(time("2026-01-01T03:00:00Z"));
    expect(lastDue(every, time("2026-01-01T03:00:00Z"), time("2026-01-01T03:05:00Z"))).toBeUndefined();
    expect(lastDue(every, time("2026-01-01T02:59:59Z"), time("2026-01-01T03:00:00Z"))).toBe(time("2026-01-01T03:00:00Z"));
  });
});
