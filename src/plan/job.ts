/** Knows when a schedule's runs begin, and when one is over and how it went: a CronJob's rules (kubernetes.io, "CronJob"). */
import type { RunSpec, Schedule } from "../api/resource.ts";
import { lastDue, nextRun } from "../api/schedule.ts";
import type { JobRun } from "../api/status.ts";
import type { Action, ActionOf } from "./action.ts";
import type { ReplicaRecord } from "./observed.ts";
import { type Next, type Question, waiting } from "./question.ts";
import type { StartReason } from "./reasons.ts";
import { restarts, spent } from "./restart.ts";

type Start = (reason: StartReason, changes?: Partial<ReplicaRecord>) => Next;

/** Longest time between two looks at what a clock decides, ms: a host sleeps, and clocks are set. */
const LOOK = 60_000;

/** Nothing of the job runs: retry, conclude, begin, or wait. */
export function nextOfJob(
  schedule: Schedule,
  question: Question,
  run: RunSpec,
  record: ReplicaRecord,
  actions: Action[],
  start: Start,
  retry: () => Next,
): Next {
  const { id: replica, owner, now, restartAfter } = question;
  const path = question.desired?.path;
  const note = (changed: ReplicaRecord, told?: Pick<ActionOf<"conclude">, "outcome" | "note">): void => {
    if (path !== undefined)
      actions.push(told ? { type: "conclude", owner, path, replica, ...told, record: changed } : { type: "note", owner, path, replica, record: changed });
  };
  const { expression } = schedule;
  if (record.run?.due !== undefined && record.last) {
    const reason = conclusion(record.last, record, question, run);
    if (reason === undefined) return record.last.asked ? start("restart asked for") : retry();
    const result = resultOf(record.run, record.last, reason, now);
    const { run: _, restartTimes: __, notBefore: ___, ...rest } = record;
    const history = kept([...(record.history ?? []), result], run);
    const times = `the run of ${result.scheduledTime}`;
    note(
      { ...rest, streak: 0, history },
      result.succeeded
        ? { outcome: "JobComplete", note: `${replica}: ${times} is complete` }
        : { outcome: "JobFailed", note: `${replica}: ${times} failed: ${reason}${result.retries > 0 ? ` after ${result.retries} retries` : ""}` },
    );
    return { state: { terminated: record.last }, wakeAt: now };
  }
  const upcoming = nextRun(schedule, now);
  const until = upcoming === undefined ? "there is no next run" : `next run at ${new Date(upcoming).toISOString()}`;
  const scheduled: Next = { state: waiting("Scheduled", until), wakeAt: Math.min(upcoming ?? now + LOOK, now + LOOK) };
  if (record.schedule?.expression !== expression) {
    // What was due before anybody knew of this schedule is not made up for.
    note({ ...record, schedule: { expression, from: now } });
    return scheduled;
  }
  const { from } = record.schedule;
  const asked = restartAfter !== undefined && restartAfter > Math.max(from, Date.parse(record.last?.startedAt ?? "") || 0);
  if (asked) return start("restart asked for", { streak: 0, run: { since: now, retries: 0, due: restartAfter } });
  if (run.job.suspend) return { state: waiting("Suspended", "no new run begins") };
  const due = lastDue(schedule, from, now);
  if (due === undefined) return scheduled;
  const since = { expression, from: due };
  const { startingDeadlineSeconds } = run.job;
  if (startingDeadlineSeconds === undefined || now - due <= startingDeadlineSeconds * 1000)
    return start("scheduled", { streak: 0, schedule: since, run: { since: now, retries: 0, due } });
  const late = `${Math.round((now - due) / 1000)}s late, later than startingDeadlineSeconds (${startingDeadlineSeconds})`;
  note({ ...record, schedule: since }, { outcome: "MissedSchedule", note: `${replica}: the run of ${new Date(due).toISOString()} is missed: ${late}` });
  return scheduled;
}

/** How a run went; undefined while it is to be tried again. */
function conclusion(last: NonNullable<ReplicaRecord["last"]>, record: ReplicaRecord, question: Question, run: RunSpec): string | undefined {
  if (last.why === "replaced by the next run") return "Replaced";
  if (last.asked) return undefined;
  if (!restarts(run, last)) return last.reason;
  return spent(record, question, run)?.reason;
}

function resultOf(run: NonNullable<ReplicaRecord["run"]>, last: NonNullable<ReplicaRecord["last"]>, reason: string, now: number): JobRun {
  const { exitCode, signal } = last;
  return {
    scheduledTime: new Date(run.due ?? run.since).toISOString(),
    startTime: new Date(run.since).toISOString(),
    completionTime: new Date(now).toISOString(),
    succeeded: reason === "Completed",
    reason,
    exitCode,
    signal,
    retries: run.retries,
  };
}

/** The latest successful and the latest failed ones, as many as asked for. */
function kept(history: readonly JobRun[], { job }: RunSpec): JobRun[] {
  const latest = (succeeded: boolean, count: number): JobRun[] => (count === 0 ? [] : history.filter((result) => result.succeeded === succeeded).slice(-count));
  const keep = new Set([...latest(true, job.successfulHistory), ...latest(false, job.failedHistory)]);
  return history.filter((result) => keep.has(result));
}
