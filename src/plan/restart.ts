/** Knows whether a workload that ended starts again, when, and how often at the most. */
import type { Backoff, RunSpec } from "../api/resource.ts";
import { activeDeadline } from "./ending.ts";
import { everBegun } from "./health.ts";
import type { ReplicaRecord, Terminated } from "./observed.ts";
import type { Question } from "./question.ts";
import { type GaveUp, isFailure, type StopReason } from "./reasons.ts";

/**
 * The pause after an end, in ms: none after the first, then `initial`, growing by `factor` up to `max`.
 * Source: Kubernetes, "Pod lifecycle: container restart policy" (10s, 20s, 40s, … 300s).
 */
export function pause(backoff: Backoff, streak: number): number {
  if (streak === 0) return 0;
  return Math.min(backoff.initial * backoff.factor ** Math.min(streak - 1, 1000), backoff.max);
}

/** The record after an end. `backoff` undefined: it is not declared any more. */
export function afterEnd(
  record: ReplicaRecord,
  end: Terminated & { attempt: string; revision: string },
  backoff: Backoff | undefined,
  now: number,
): ReplicaRecord {
  const { current: _, before: __, stopping: ___, notBefore: ____, health: _____, ...rest } = record;
  const stopped = everBegun(record, end.attempt);
  const asked = stopped !== undefined && !isFailure(stopped.reason);
  const last = { ...end, ...(asked ? { asked } : {}), ...(stopped?.reason === undefined ? {} : { why: stopped.reason }) };
  // Asked to end: that is no crash, and the next start owes no pause.
  if (asked || !backoff) return { ...rest, streak: 0, last };
  // A run of `resetAfter` starts the count anew.
  const streak = now - Date.parse(end.startedAt) >= backoff.resetAfter ? 0 : record.streak;
  return { ...rest, streak: streak + 1, last, notBefore: now + pause(backoff, streak) };
}

/** Whether the rules, or else the policy, start a workload again after this end. */
export function restarts(
  { restartPolicy, restartRules }: RunSpec,
  { exitCode, reason, why }: Pick<Terminated, "exitCode" | "reason"> & { why?: StopReason },
): boolean {
  if (exitCode !== null && !isFailure(why) && restartRules.some(({ operator, values }) => values.includes(exitCode) === (operator === "In"))) return true;
  return restartPolicy === "Always" || (restartPolicy === "OnFailure" && reason !== "Completed");
}

/** Times of restarts to remember with one more, as far as they still count. */
export function withRestart({ restartTimes = [] }: ReplicaRecord, { maxRestarts }: RunSpec, now: number): number[] {
  if (!maxRestarts) return [];
  return [...restartTimes, now].slice(-Math.max(1, maxRestarts.count));
}

/** Why it is not started again although its policy says so; undefined when it is. */
export function spent(record: ReplicaRecord, question: Question, run: RunSpec): { reason: GaveUp; message: string } | undefined {
  const { maxRestarts, job } = run;
  const deadline = activeDeadline(question, record);
  if (record.last?.reason === "DeadlineExceeded" || (deadline !== undefined && question.now >= deadline))
    return { reason: "DeadlineExceeded", message: `it took longer than activeDeadlineSeconds: ${job.activeDeadlineSeconds}` };
  if (job.backoffLimit !== undefined && (record.run?.retries ?? 0) >= job.backoffLimit)
    return { reason: "BackoffLimitExceeded", message: `it failed ${(record.run?.retries ?? 0) + 1} times (backoffLimit ${job.backoffLimit})` };
  if (!maxRestarts) return undefined;
  const { count, window } = maxRestarts;
  // Counted back from the end, not from now: it stays down until somebody does something about it.
  const ended = Date.parse(record.last?.finishedAt ?? "") || question.now;
  const counted = (record.restartTimes ?? []).filter((time) => window === undefined || time > ended - window);
  if (counted.length < count) return undefined;
  return {
    reason: "RestartLimitExceeded",
    message: `${count} ${count === 1 ? "restart" : "restarts"}${window === undefined ? "" : ` in ${window / 1000}s`}, which is maxRestarts: change it, or holdfast restart`,
  };
}
