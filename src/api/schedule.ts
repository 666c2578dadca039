/** Knows when a schedule is due: crontab(5)'s five fields in a time zone, worked out by the croner package. */
import { Cron } from "croner";
import type { Parsed } from "./quantity.ts";
import type { Schedule } from "./resource.ts";

/** Reading an expression costs more than asking it. */
const crons = new Map<string, Cron>();

function cronOf({ expression, timeZone }: Schedule): Cron {
  const key = `${timeZone ?? ""} ${expression}`;
  const known = crons.get(key) ?? new Cron(expression, { mode: "5-part", ...(timeZone === undefined ? {} : { timezone: timeZone }) });
  crons.set(key, known);
  return known;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export function parseTimeZone(name: string): Parsed {
  return isTimeZone(name) ? { ok: name } : { bad: "a time zone of the IANA database such as Europe/Berlin" };
}

/** Checks an expression; its own time zone must be sound. */
export function parseSchedule(expression: string, timeZone: string | undefined): Parsed<Schedule> {
  const expected = "five fields (minute hour day-of-month month day-of-week) such as 17 3 * * *, or @hourly, @daily, @weekly, @monthly, @yearly";
  const words = expression.trim().split(/\s+/);
  if (words.length !== 5 && !/^@\w+$/.test(expression.trim())) return { bad: expected };
  const schedule: Schedule = { expression: words.join(" "), timeZone };
  try {
    // A zone that is none was told already; the fields are checked all the same.
    const known = timeZone === undefined || isTimeZone(timeZone) ? schedule : { ...schedule, timeZone: undefined };
    if (nextRun(known, Date.parse("2024-01-01T00:00:00Z")) === undefined) return { bad: "a time that ever comes", hint: "no such day is in any month" };
  } catch (error) {
    return { bad: expected, hint: (error as Error).message.replace(/^Cron\w+: /, "") };
  }
  return { ok: schedule };
}

/** The first time (ms since the epoch) after `after` at which it is due. */
export function nextRun(schedule: Schedule, after: number): number | undefined {
  return cronOf(schedule).nextRun(new Date(after))?.getTime();
}

/** The last time up to `now`, and after `since`, at which it was due. */
export function lastDue(schedule: Schedule, since: number, now: number): number | undefined {
  const due = cronOf(schedule)
    .previousRuns(1, new Date(now + 1))[0]
    ?.getTime();
  return due !== undefined && due > since && due <= now ? due : undefined;
}
