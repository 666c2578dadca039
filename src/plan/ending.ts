/** Knows when what runs must end although nobody killed it: edits, failed probes and hooks, deadlines, the next run of a schedule. */
import { lastDue, nextRun } from "../api/schedule.ts";
import { begun } from "./health.ts";
import type { ObservedAttempt, ReplicaRecord } from "./observed.ts";
import { canStart, earliest, type Question } from "./question.ts";
import { isIrrevocable, type StopReason } from "./reasons.ts";
import { isOutdated } from "./rollout.ts";
import type { Why } from "./stop.ts";

/** Why this attempt must end; undefined while it may run on. */
export function whyStop({ id, meta }: ObservedAttempt, question: Question, record: ReplicaRecord): Why | undefined {
  const { desired, findings, restartAfter, now } = question;
  if (!desired || !meta) return { reason: "not declared any more" };
  const going = begun(record, id);
  if (going && isIrrevocable(going.reason)) return going as Why;
  const failed = findings?.attempt === id ? findings.failed : undefined;
  if (failed) {
    const { probe, message, grace } = failed;
    return { reason: `${probe} probe failed`, message: `${probe} probe failed: ${message}`, ...(grace === undefined ? {} : { grace }) };
  }
  const hook = question.task(`${id}/postStart`);
  if (typeof hook === "object" && !hook.ok) return { reason: "postStart hook failed", message: `postStart hook failed: ${hook.message}` };
  const { job } = desired.resource.run;
  const deadline = activeDeadline(question, record);
  if (deadline !== undefined && now >= deadline)
    return { reason: "active deadline exceeded", message: `it took longer than activeDeadlineSeconds: ${job.activeDeadlineSeconds}` };
  if (job.schedule) {
    const due =
      job.concurrencyPolicy === "Replace" && !job.suspend && lastDue(job.schedule, knownUntil(record, job.schedule.expression) ?? now, now) !== undefined;
    if (due) return { reason: "replaced by the next run" };
    // A job runs to its end as it was started, like a CronJob's; only who asks for it stops it.
    if (restartAfter !== undefined && Date.parse(meta.startedAt) < restartAfter) return { reason: "restart asked for" };
    return meta.path === desired.path ? undefined : { reason: "new revision" };
  }
  const reason = whyReplaced(meta, question);
  return reason && { reason };
}

/** Why what runs as it was started is to make room for the same workload now; undefined while it may run on. */
export function whyReplaced(runs: { readonly revision: string; readonly startedAt: string }, question: Question): StopReason | undefined {
  const { desired, mayReplace, restartAfter } = question;
  if (!desired || !mayReplace || !canStart(question) || !isOutdated(runs, desired.revision, restartAfter)) return undefined;
  return runs.revision === desired.revision ? "restart asked for" : "new revision";
}

/** Up to when times of this schedule have been dealt with; undefined for another one. */
function knownUntil({ schedule }: ReplicaRecord, expression: string): number | undefined {
  return schedule?.expression === expression ? schedule.from : undefined;
}

/** When time alone will end it; ms since the epoch. */
export function endsAt(question: Question, record: ReplicaRecord): number | undefined {
  const job = question.desired?.resource.run.job;
  const times = [activeDeadline(question, record)];
  if (job?.schedule && job.concurrencyPolicy === "Replace" && !job.suspend) times.push(nextRun(job.schedule, question.now));
  return earliest(times);
}

/** Until when a job's run may take. */
export function activeDeadline({ desired }: Pick<Question, "desired">, { run }: ReplicaRecord): number | undefined {
  const seconds = desired?.resource.run.job.activeDeadlineSeconds;
  return seconds === undefined || !run ? undefined : run.since + seconds * 1000;
}
