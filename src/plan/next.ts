/** Knows what comes next for a replica of which nothing runs: start, wait, or rest. */
import { ROOT } from "../cgroup/path.ts";
import type { Action } from "./action.ts";
import { isAlive } from "./health.ts";
import { nextOfJob } from "./job.ts";
import type { ReplicaRecord } from "./observed.ts";
import { type Next, type Question, SOON, waiting } from "./question.ts";
import type { StartReason } from "./reasons.ts";
import { afterEnd, pause, restarts, spent, withRestart } from "./restart.ts";

export function next(question: Question, record: ReplicaRecord, actions: Action[]): Next {
  const { id: replica, desired, observed, owner, frozen, hierarchies, obstacle, restartAfter, now } = question;
  const { last } = record;
  if (!desired) {
    if (observed?.record && actions.length === 0) actions.push({ type: "forget", owner, path: ROOT, replica });
    return { state: last ? { terminated: last } : waiting("Stopped", "not declared any more") };
  }
  const { run } = desired.resource;
  const start = (reason: StartReason, changes: Partial<ReplicaRecord> = {}): Next => {
    if (obstacle !== undefined) return { state: waiting("StartBlocked", obstacle) };
    if (frozen) return { state: waiting("Frozen", "its LimitGroup is frozen; it starts when that is thawed") };
    if (question.unmet !== undefined) return { state: waiting("DependencyNotMet", question.unmet) };
    const { failed: _, stopping: __, health: ___, ...since } = { ...record, ...changes };
    const refused = { streak: record.streak + 1, notBefore: now + pause(run.backoff, record.streak + 1) };
    const started = { ...since, starts: since.starts + 1 };
    actions.push({
      type: "start",
      owner,
      path: desired.path,
      replica: desired,
      hierarchies: [...hierarchies],
      reason,
      before: record,
      record: started,
      refused,
    });
    return { state: waiting("Starting", reason) };
  };
  if (isAlive(record)) return lost(question, record, actions);
  // No pause is longer than the longest: if it seems so, the clock was set back.
  const notBefore = (record.notBefore ?? 0) - now > run.backoff.max ? 0 : (record.notBefore ?? 0);
  const soonest = (): string => `${Math.ceil((notBefore - now) / 1000)}s`;
  if (record.failed?.revision === desired.revision && now < notBefore)
    return { state: waiting("StartFailed", `${record.failed.message}; tried again in ${soonest()}`), wakeAt: notBefore };
  const retry = (): Next => {
    if (now < notBefore) return { state: waiting("CrashLoopBackOff", `${last?.reason}: restarts in ${soonest()}`), wakeAt: notBefore };
    const { since, retries } = record.run ?? { since: now, retries: 0 };
    return start("restart", {
      restarts: record.restarts + 1,
      restartTimes: withRestart(record, run, now),
      run: { ...record.run, since, retries: retries + 1 },
    });
  };
  const { schedule } = run.job;
  if (schedule) return nextOfJob(schedule, question, run, record, actions, start, retry);
  const fresh = { streak: 0, restartTimes: [], run: { since: now, retries: 0 } };
  if (!last) return start("first start", { run: fresh.run });
  if (last.revision !== desired.revision) return start("new revision", fresh);
  if (restartAfter !== undefined && Date.parse(last.startedAt) < restartAfter) return start("restart asked for", fresh);
  if (last.asked) return start("restart");
  if (!restarts(run, last)) return { state: { terminated: last } };
  const enough = spent(record, question, run);
  if (!enough) return retry();
  if (record.gaveUp !== last.attempt) {
    const note = `${replica}: ${enough.message}`;
    actions.push({ type: "conclude", owner, path: desired.path, replica, outcome: enough.reason, note, record: { ...record, gaveUp: last.attempt } });
  }
  return { state: waiting(enough.reason, enough.message) };
}

/** A start recorded but no trace left: the holder and its process are gone without their exit status. */
function lost({ id: replica, desired, owner, now }: Question, record: ReplicaRecord, actions: Action[]): Next {
  if (!record.current || !desired) return { state: waiting("Stopped", "not declared any more") };
  const { attempt, revision, startedAt } = record.current;
  const end = { exitCode: null, signal: null, reason: "ExitStatusUnknown", startedAt, finishedAt: new Date(now).toISOString() } as const;
  const last = { ...end, attempt, revision };
  const after = afterEnd(record, last, desired.resource.run.backoff, now);
  actions.push({ type: "record", owner, path: desired.path, replica, attempt, asked: after.last?.asked === true, terminated: end, record: after });
  return { state: { terminated: last }, wakeAt: now + SOON };
}
