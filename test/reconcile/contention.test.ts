/** Fights about a value: repaired at once at first, then left alone for longer each time, and forgotten when there is peace. */
import { expect, test } from "@jest/globals";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import type { ActionOf } from "../../src/plan/action.ts";
import { seatOf } from "../../src/plan/hold.ts";
import { Contention, type Suspects } from "../../src/reconcile/contention.ts";

const write = (cause: "drift" | "pending" = "drift", file = "pids.max"): ActionOf<"write"> => ({
  type: "write",
  owner: "LimitGroup/batch",
  path: "batch" as CgroupPath,
  hierarchy: "pids",
  file,
  key: "",
  knob: "pids.max",
  from: "9",
  to: "40",
  text: "40",
  declared: true,
  cause,
});

function fight(name?: string) {
  const told: string[] = [];
  const watched = new Set<string>();
  const suspects: Suspects = { watch: ({ file }) => watched.add(file), nameOf: () => name, forget: ({ file }) => watched.delete(file) };
  const contention = new Contention(({ reason, note }) => told.push(`${reason}: ${note}`), suspects);
  const repair = (now: number, action = write()): void => contention.note([{ action }], now);
  const wait = (now: number): number =>
    Math.max(
      0,
      ...[...(contention.waits.get("batch" as CgroupPath) ?? [])].filter(([setting]) => setting === "pids pids.max ").map(([, until]) => until - now),
    );
  return { contention, told, repair, wait, watched };
}

test("a storm of a moment is no fight, nor is what drifts now and then", () => {
  const { told, repair, wait } = fight();
  for (let now = 0; now < 9000; now += 10) repair(now);
  expect(wait(9000)).toBe(0);
  for (let now = 100_000; now < 1_000_000; now += 11_000) repair(now);
  expect(wait(1_000_000)).toBe(0);
  expect(told).toEqual([]);
});

test("who keeps on waits: 2 s, three times that, and so on, five minutes at most; one event each", () => {
  const { contention, told, repair, wait } = fight();
  let now = 0;
  for (; now <= 9000; now += 1000) repair(now);
  expect(wait(now)).toBe(0);
  repair(now);
  const waits: number[] = [];
  for (let round = 0; round < 8; round++) {
    waits.push(wait(now));
    now += wait(now) + 5;
    repair(now);
  }
  expect(waits).toEqual([2000, 6000, 18_000, 54_000, 162_000, 300_000, 300_000, 300_000]);
  expect(told).toHaveLength(9);
  expect(told[0]).toBe(
    "Contended: something keeps writing 9 to pids.max of batch (repaired to 40 11 times in 10s): the next repair is in 2s; find out who writes, change the manifest, or write drift: Report",
  );
  expect([...contention.notes(now).keys()]).toEqual(["LimitGroup/batch"]);
  // Nobody writes any more: a minute later it is forgotten, and the next drift repaired at once.
  expect(contention.notes(now + 360_001).size).toBe(0);
  contention.note([], now + 360_001);
  expect(contention.waits.size).toBe(0);
});

test("another value, and one that the manifest says anew, begin in peace; what is told as a fight is not told as drift", () => {
  const { contention, repair, wait } = fight();
  for (let now = 0; now <= 10_000; now += 1000) repair(now);
  expect(wait(10_000)).toBe(2000);
  expect(contention.waits.get("batch" as CgroupPath)?.has("pids memory.max ")).toBe(false);
  expect(contention.without({ reported: [write(), write("drift", "memory.max")] }).reported).toEqual([write("drift", "memory.max")]);
  repair(10_001, write("pending"));
  expect(wait(10_001)).toBe(0);
});

test("a process that somebody keeps moving away is fought about as a value is", () => {
  const { contention, told } = fight();
  const path = "batch/members" as CgroupPath;
  const record = { pid: 9, start: 90, path, rule: "{}", from: {} };
  const join: ActionOf<"join"> = {
    type: "join",
    owner: "LimitGroup/batch",
    path,
    hierarchies: ["pids"],
    comm: "rsync",
    seen: { pids: "/cron" },
    record,
    cause: "drift",
  };
  for (let now = 0; now <= 10_000; now += 1000) contention.note([{ action: join }], now);
  expect(told).toEqual([
    expect.stringContaining("Contended: something keeps moving process 9 (rsync) to /cron (moved back 11 times in 10s): the next repair is in 2s"),
  ]);
  expect(contention.waits.get(path)?.get(seatOf(record))).toBe(12_000);
  const other = { ...join, record: { ...record, pid: 10 } };
  expect(contention.without({ reported: [join, other] }).reported).toEqual([other]);
});

test("who writes is listened for once it looks like a fight, told, and forgotten in peace", () => {
  const { told, repair, watched } = fight("process 7 (tuner)");
  repair(0);
  repair(1000);
  expect([...watched]).toEqual([]);
  for (let now = 2000; now <= 20_000; now += 1000) repair(now);
  expect([...watched]).toEqual(["pids.max"]);
  expect(told[0]).toMatch(/^Contended: process 7 \(tuner\) keeps writing 9 to pids\.max of batch .*; have that end, change the manifest/);
  repair(10_000_000, write("drift", "memory.max"));
  expect(watched.has("pids.max")).toBe(false);
});
