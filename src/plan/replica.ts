/** Knows what to do about one replica: the life cycle of a workload, decided afresh from what is there. */
import type { ObjectKey } from "../api/resource.ts";
import { type CgroupPath, ROOT } from "../cgroup/path.ts";
import type { Action, StartReason } from "./action.ts";
import { nextStreak, pause, restarts } from "./backoff.ts";
import type { DesiredReplica } from "./desired.ts";
import { terminated } from "./exit.ts";
import type { AttemptMeta, ObservedAttempt, ObservedReplica, ReplicaRecord } from "./observed.ts";
import { stop, stopOrphans } from "./stop.ts";

/** What a replica is doing, as status.state shows it. */
export type ReplicaState =
  | { readonly running: { readonly pid: number; readonly startedAt: string } }
  | { readonly waiting: { readonly reason: string; readonly message: string } }
  | { readonly terminated: NonNullable<ReplicaRecord["last"]> };

export interface Decision {
  readonly actions: readonly Action[];
  readonly state: ReplicaState;
  /** When to look again, ms since the epoch. */
  readonly wakeAt?: number;
}

export interface Question {
  readonly id: string;
  /** Undefined: it is not declared any more. */
  readonly desired: DesiredReplica | undefined;
  readonly observed: ObservedReplica | undefined;
  readonly owner: ObjectKey | undefined;
  readonly frozen: boolean;
  /** The hierarchies in which its cgroup has a directory, and its processes belong. */
  readonly hierarchies: ReadonlySet<string>;
  /** Why it cannot be started now. */
  readonly obstacle: string | undefined;
  readonly oomKills: (path: CgroupPath) => number;
  readonly now: number;
}

const EMPTY: ReplicaRecord = { starts: 0, restarts: 0, streak: 0 };
const waiting = (reason: string, message: string): ReplicaState => ({ waiting: { reason, message } });
/** When to look again at what takes a moment, ms. */
const SOON = 20;

export function decide(question: Question): Decision {
  const { id: replica, desired, observed, owner, now } = question;
  const actions: Action[] = [];
  let record = observed?.record ?? EMPTY;
  const alive: ObservedAttempt[] = [];
  const ended = new Set<CgroupPath>();
  for (const attempt of observed?.attempts ?? []) {
    const path = (attempt.meta?.path ?? desired?.path ?? ROOT) as CgroupPath;
    const named = { owner, path, replica, attempt: attempt.id };
    if (!attempt.holder) actions.push({ type: "void", ...named });
    else if (!attempt.main || !attempt.meta) {
      // The launching shell has not forked yet, or somebody continued the holder and it is about to go.
      if (!attempt.holder.stopped) return { actions, state: waiting("Starting", "the launching shell is at work"), wakeAt: now + SOON };
      actions.push({ type: "release", ...named, holder: attempt.holder.pid });
    } else if (attempt.main.exited) {
      if (record.last?.attempt !== attempt.id) {
        const asked = record.stopping?.attempt === attempt.id;
        const end = terminated(attempt.main, attempt.meta, asked ? 0 : question.oomKills(path), now);
        record = afterEnd(record, attempt, { ...end, ...(asked ? { asked } : {}) }, desired, now);
        actions.push({ type: "record", ...named, asked, terminated: end, record });
      }
      ended.add(path);
      actions.push({ type: "release", ...named, holder: attempt.holder.pid });
    } else {
      if (!attempt.holder.stopped) actions.push({ type: "hold", ...named, holder: attempt.holder.pid });
      alive.push(attempt);
    }
  }
  // An attempt that never began may begin this very moment, unless its directory could be taken away: the next look tells.
  const voided = actions.some(({ type }) => type === "void");
  const [first, ...twins] = alive.sort((a, b) => ((a.meta?.startedAt ?? "") < (b.meta?.startedAt ?? "") ? -1 : 1));
  const left = [...(observed?.members ?? [])].filter(([path, pids]) => pids.length > 0 && alive.every(({ meta }) => meta?.path !== path));
  for (const [path] of left) if (first || ended.has(path)) actions.push({ type: "kill", owner, path, replica, reason: "left behind by the main process" });
  const [twin] = twins;
  if (first?.main && first.meta) {
    const state: ReplicaState = { running: { pid: first.main.pid, startedAt: first.meta.startedAt } };
    const current = currentOf(first.id, first.meta, desired, record.current);
    if (
      record.current?.attempt !== first.id ||
      record.current.gracePeriodSeconds !== current.gracePeriodSeconds ||
      record.current.stopSignal !== current.stopSignal
    ) {
      record = { ...record, starts: Math.max(record.starts, 1), current };
      actions.push({ type: "adopt", owner, path: current.path as CgroupPath, replica, record });
    }
    if (twin) return stop(twin, "started twice", question, record, actions, state);
    if (!desired || (first.meta.revision !== desired.revision && question.obstacle === undefined))
      return stop(first, desired ? "new revision" : "not declared any more", question, record, actions, state);
    if (record.stopping?.attempt === first.id && !record.stopping.spared)
      actions.push({ type: "spare", owner, path: desired.path, replica, record: { ...record, stopping: { ...record.stopping, spared: true } } });
    const { pid, strayed } = first.main;
    for (const hierarchy of strayed)
      if (question.hierarchies.has(hierarchy)) actions.push({ type: "place", owner, path: desired.path, hierarchy, pid, replica });
    return { actions, state };
  }
  const orphans = left.filter(([path]) => !ended.has(path));
  if (orphans.length > 0) return stopOrphans(orphans, question, record, actions);
  // Its cgroup is being emptied: whatever starts next starts in an empty one.
  if (actions.some(({ type }) => type === "kill")) return { actions, state: waiting("Stopping", "its last processes are being ended"), wakeAt: now + SOON };
  if (voided) return { actions, state: waiting("Starting", "an earlier start is being cleared"), wakeAt: now + SOON };
  return { ...next(question, record, actions), actions };
}

/** What is to be known of a run when it is declared no more: how to stop it as it was declared last. */
function currentOf(
  attempt: string,
  { path, revision, startedAt, stopSignal, gracePeriodSeconds }: AttemptMeta,
  desired: DesiredReplica | undefined,
  before: ReplicaRecord["current"],
): NonNullable<ReplicaRecord["current"]> {
  const last = desired?.resource.run ?? (before?.attempt === attempt ? before : { stopSignal, gracePeriodSeconds });
  return { attempt, path, revision, startedAt, stopSignal: last.stopSignal, gracePeriodSeconds: last.gracePeriodSeconds };
}

/** The record after an end. */
function afterEnd(
  record: ReplicaRecord,
  attempt: ObservedAttempt,
  end: Omit<NonNullable<ReplicaRecord["last"]>, "attempt" | "revision">,
  desired: DesiredReplica | undefined,
  now: number,
): ReplicaRecord {
  const { current: _, stopping: __, notBefore: ___, ...rest } = record;
  const last = { ...end, attempt: attempt.id, revision: attempt.meta?.revision ?? "" };
  // Asked to end: that is no crash, and the next start owes no pause.
  if (end.asked || !desired) return { ...rest, streak: 0, last };
  const { backoff } = desired.resource.run;
  const streak = nextStreak(backoff, record.streak, now - Date.parse(end.startedAt));
  return { ...rest, streak: streak + 1, last, notBefore: now + pause(backoff, streak) };
}

/** Nothing runs: start, wait, or rest. */
function next(
  { id: replica, desired, observed, owner, frozen, hierarchies, obstacle, now }: Question,
  record: ReplicaRecord,
  actions: Action[],
): { state: ReplicaState; wakeAt?: number } {
  const { last } = record;
  if (!desired) {
    if (observed?.record && actions.length === 0) actions.push({ type: "forget", owner, path: ROOT, replica });
    return { state: last ? { terminated: last } : waiting("Stopped", "not declared any more") };
  }
  const { backoff, restartPolicy } = desired.resource.run;
  const start = (reason: StartReason, changes: Partial<ReplicaRecord> = {}): { state: ReplicaState; wakeAt?: number } => {
    if (obstacle !== undefined) return { state: waiting("StartBlocked", obstacle) };
    if (frozen) return { state: waiting("Frozen", "its LimitGroup is frozen; it starts when that is thawed") };
    const { failed: _, stopping: __, ...since } = { ...record, ...changes };
    const refused = {
      ...record,
      streak: record.streak + 1,
      notBefore: now + pause(backoff, record.streak + 1),
      failed: { revision: desired.revision, message: "" },
    };
    actions.push({
      type: "start",
      owner,
      path: desired.path,
      replica: desired,
      hierarchies: [...hierarchies],
      reason,
      record: { ...since, starts: since.starts + 1 },
      refused,
    });
    return { state: waiting("Starting", reason) };
  };
  // A start recorded but no trace left: the holder and its process are gone without their exit status.
  if (record.current && last?.attempt !== record.current.attempt) {
    const { attempt, revision, startedAt } = record.current;
    const asked = record.stopping?.attempt === attempt;
    const lost = { exitCode: null, signal: null, reason: "ExitStatusUnknown", startedAt, finishedAt: new Date(now).toISOString() } as const;
    const { current: _, stopping: __, ...rest } = record;
    const after: ReplicaRecord = {
      ...rest,
      last: { ...lost, ...(asked ? { asked } : {}), attempt, revision },
      streak: asked ? 0 : record.streak + 1,
      notBefore: asked ? now : now + pause(backoff, record.streak),
    };
    actions.push({ type: "record", owner, path: desired.path, replica, attempt, asked, terminated: lost, record: after });
    return { state: { terminated: { ...lost, attempt, revision } }, wakeAt: now + SOON };
  }
  const notBefore = record.notBefore ?? 0;
  const soonest = (): string => `${Math.ceil((notBefore - now) / 1000)}s`;
  if (record.failed?.revision === desired.revision && now < notBefore)
    return { state: waiting("StartFailed", `${record.failed.message}; tried again in ${soonest()}`), wakeAt: notBefore };
  if (!last) return start("first start");
  if (last.revision !== desired.revision) return start("new revision", { streak: 0 });
  if (last.asked) return start("restart");
  if (!restarts(restartPolicy, last.reason !== "Completed")) return { state: { terminated: last } };
  if (now < notBefore) return { state: waiting("CrashLoopBackOff", `${last.reason}: restarts in ${soonest()}`), wakeAt: notBefore };
  return start("restart", { restarts: record.restarts + 1 });
}
