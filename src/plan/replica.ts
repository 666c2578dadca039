/** Knows what to do about one replica: the life cycle of a workload, decided afresh from what is there. */
import type { ObjectKey } from "../api/resource.ts";
import { type CgroupPath, ROOT } from "../cgroup/path.ts";
import type { Action, StartReason, StopReason } from "./action.ts";
import { nextStreak, pause, restarts } from "./backoff.ts";
import type { DesiredReplica } from "./desired.ts";
import { terminated } from "./exit.ts";
import type { ObservedAttempt, ObservedReplica, ReplicaRecord } from "./observed.ts";

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
  readonly oomKills: (path: CgroupPath) => number;
  readonly now: number;
}

const EMPTY: ReplicaRecord = { starts: 0, restarts: 0, streak: 0 };
const waiting = (reason: string, message: string): ReplicaState => ({ waiting: { reason, message } });

export function decide(question: Question): Decision {
  const { id: replica, desired, observed, owner, now } = question;
  const actions: Action[] = [];
  let record = observed?.record ?? EMPTY;
  let alive: ObservedAttempt | undefined;
  for (const attempt of observed?.attempts ?? []) {
    const path = (attempt.meta?.path ?? desired?.path ?? ROOT) as CgroupPath;
    const named = { owner, path, replica, attempt: attempt.id };
    if (!attempt.holder) actions.push({ type: "void", ...named });
    else if (!attempt.main || !attempt.meta) {
      // The launching shell has not forked yet, or somebody continued the holder and it is about to go.
      if (!attempt.holder.stopped) return { actions, state: waiting("Starting", "the launching shell is at work"), wakeAt: now + 50 };
      actions.push({ type: "release", ...named, holder: attempt.holder.pid });
    } else if (attempt.main.exited) {
      if (record.last?.attempt !== attempt.id) {
        const end = terminated(attempt.main, attempt.meta, question.oomKills(path), now);
        const asked = record.stopping?.attempt === attempt.id;
        record = ended(record, attempt, end, desired, now);
        actions.push({ type: "record", ...named, asked, terminated: end, record });
      }
      actions.push({ type: "release", ...named, holder: attempt.holder.pid });
      if ((observed?.members.get(path)?.length ?? 0) > 0) actions.push({ type: "kill", owner, path, replica, reason: "left behind by the main process" });
    } else {
      if (!attempt.holder.stopped) actions.push({ type: "hold", ...named, holder: attempt.holder.pid });
      alive = attempt;
    }
  }
  if (alive?.main && alive.meta) {
    const { pid, strayed } = alive.main;
    const state: ReplicaState = { running: { pid, startedAt: alive.meta.startedAt } };
    if (desired && (alive.meta.revision === desired.revision || desired.obstacle !== undefined)) {
      for (const hierarchy of strayed)
        if (question.hierarchies.has(hierarchy)) actions.push({ type: "place", owner, path: desired.path, hierarchy, pid, replica });
      return { actions, state };
    }
    return stop(alive, question, record, actions, state);
  }
  const orphans = [...(observed?.members ?? [])].filter(([, pids]) => pids.length > 0);
  if (orphans.length > 0 && actions.every(({ type }) => type === "void")) return orphaned(orphans, question, record, actions);
  // Its cgroup is being emptied: whatever starts next starts in an empty one.
  if (actions.some(({ type }) => type === "kill")) return { actions, state: waiting("Stopping", "its last processes are being ended"), wakeAt: now + 20 };
  return { ...next(question, record, actions), actions };
}

/** The record after an end. */
function ended(
  record: ReplicaRecord,
  attempt: ObservedAttempt,
  end: ReturnType<typeof terminated>,
  desired: DesiredReplica | undefined,
  now: number,
): ReplicaRecord {
  const { current: _, stopping, notBefore: __, ...rest } = record;
  const last = { ...end, attempt: attempt.id, revision: attempt.meta?.revision ?? "" };
  // Asked to end: that is no crash, and the next start owes no pause.
  if (stopping?.attempt === attempt.id || !desired) return { ...rest, streak: 0, last };
  const { backoff } = desired.resource.run;
  const streak = nextStreak(backoff, record.streak, now - Date.parse(end.startedAt));
  return { ...rest, streak: streak + 1, last, notBefore: now + pause(backoff, streak) };
}

/** Signal, wait for the grace period, kill. */
function stop(
  attempt: ObservedAttempt,
  { id: replica, desired, owner, now }: Question,
  record: ReplicaRecord,
  actions: Action[],
  state: ReplicaState,
): Decision {
  const { meta, main } = attempt;
  if (!meta || !main) return { actions, state };
  const path = meta.path as CgroupPath;
  const reason: StopReason = desired ? "new revision" : "not declared any more";
  const run = desired?.resource.run;
  const grace = (run?.gracePeriodSeconds ?? meta.gracePeriodSeconds) * 1000;
  if (record.stopping?.attempt !== attempt.id) {
    const signal = run?.stopSignal ?? meta.stopSignal;
    actions.push({
      type: "signal",
      owner,
      path,
      replica,
      attempt: attempt.id,
      pid: main.pid,
      signal,
      reason,
      record: { ...record, stopping: { attempt: attempt.id, since: now } },
    });
    return { actions, state, wakeAt: now + grace };
  }
  const deadline = record.stopping.since + grace;
  if (now < deadline) return { actions, state, wakeAt: deadline };
  actions.push({ type: "kill", owner, path, replica, reason: "grace period over" });
  return { actions, state };
}

/** Processes without their holder: somebody killed it. They go on; only how they end cannot be known. */
function orphaned(
  orphans: readonly (readonly [CgroupPath, readonly number[]])[],
  { id: replica, desired, owner, now }: Question,
  record: ReplicaRecord,
  actions: Action[],
): Decision {
  const revision = record.current?.revision;
  const state: ReplicaState = { running: { pid: orphans[0]?.[1][0] ?? 0, startedAt: record.current?.startedAt ?? new Date(now).toISOString() } };
  for (const [path] of orphans) {
    if (desired && path === desired.path && (revision === undefined || revision === desired.revision || desired.obstacle !== undefined)) continue;
    actions.push({ type: "kill", owner, path, replica, reason: desired ? "new revision" : "not declared any more" });
  }
  return { actions, state };
}

/** Nothing runs: start, wait, or rest. */
function next(
  { id: replica, desired, observed, owner, frozen, now }: Question,
  record: ReplicaRecord,
  actions: Action[],
): { state: ReplicaState; wakeAt?: number } {
  const { last } = record;
  const busy = actions.length > 0;
  if (!desired) {
    if (observed?.record && !busy) actions.push({ type: "forget", owner, path: ROOT, replica });
    return { state: last ? { terminated: last } : waiting("Stopped", "not declared any more") };
  }
  const start = (reason: StartReason, since: ReplicaRecord): { state: ReplicaState; wakeAt?: number } => {
    if (desired.obstacle !== undefined) return { state: waiting("StartBlocked", desired.obstacle) };
    if (frozen) return { state: waiting("Frozen", "its LimitGroup is frozen; it starts when that is thawed") };
    actions.push({ type: "start", owner, path: desired.path, replica: desired, reason, record: { ...since, starts: since.starts + 1 } });
    return { state: waiting("Starting", reason) };
  };
  // A start recorded but no trace left: the holder and its process are gone without their exit status.
  if (record.current && last?.attempt !== record.current.attempt) {
    const { attempt, revision, startedAt } = record.current;
    const lost = { exitCode: null, signal: null, reason: "ExitStatusUnknown", startedAt, finishedAt: new Date(now).toISOString() } as const;
    const { current: _, stopping: __, ...rest } = record;
    const after: ReplicaRecord = {
      ...rest,
      last: { ...lost, attempt, revision },
      streak: record.streak + 1,
      notBefore: now + pause(desired.resource.run.backoff, record.streak),
    };
    actions.push({ type: "record", owner, path: desired.path, replica, attempt, asked: false, terminated: lost, record: after });
    return { state: { terminated: { ...lost, attempt, revision } }, wakeAt: now };
  }
  if (!last) return start("first start", record);
  if (last.revision !== desired.revision) return start("new revision", { ...record, streak: 0 });
  const failed = last.reason !== "Completed";
  if (!restarts(desired.resource.run.restartPolicy, failed)) return { state: { terminated: last } };
  const notBefore = record.notBefore ?? 0;
  if (now < notBefore) {
    const seconds = Math.ceil((notBefore - now) / 1000);
    return { state: waiting("CrashLoopBackOff", `${last.reason}: restarts in ${seconds}s`), wakeAt: notBefore };
  }
  return start("restart", { ...record, restarts: record.restarts + 1 });
}
