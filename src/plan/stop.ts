/** Knows how a workload is ended: asked first, given its grace period, and only then killed. */
import type { CgroupPath } from "../cgroup/path.ts";
import type { Action, StopReason } from "./action.ts";
import type { ObservedAttempt, ReplicaRecord } from "./observed.ts";
import type { Decision, Question, ReplicaState } from "./replica.ts";

/** Signal, wait for the grace period, kill. */
export function stop(
  attempt: ObservedAttempt,
  reason: StopReason,
  { id: replica, desired, owner, now }: Question,
  record: ReplicaRecord,
  actions: Action[],
  state: ReplicaState,
): Decision {
  const { meta, main } = attempt;
  if (!meta || !main) return { actions, state };
  const path = meta.path as CgroupPath;
  const run = desired?.resource.run ?? (record.current?.attempt === attempt.id ? record.current : meta);
  const grace = run.gracePeriodSeconds * 1000;
  const ask = (signal: NodeJS.Signals): void => {
    actions.push({ type: "signal", owner, path, replica, attempt: attempt.id, pid: main.pid, signal, reason, record: stopping(record, attempt.id, now) });
  };
  const deadline = deadlineOf(record, attempt.id, grace);
  if (deadline === undefined) ask(run.stopSignal);
  else if (now < deadline) return { actions, state, wakeAt: deadline };
  // A second copy shares its cgroup with the first one: only its main process can be told from that.
  else if (reason === "started twice") ask("SIGKILL");
  else actions.push({ type: "kill", owner, path, replica, reason: "grace period over" });
  return { actions, state, wakeAt: now + grace };
}

/**
 * Processes without their holder: somebody killed it. While they are what is declared they go on, only how they end cannot be
 * known. Else they are ended as any other workload, all of them alike.
 */
export function stopOrphans(
  orphans: readonly (readonly [CgroupPath, readonly number[]])[],
  { id: replica, desired, obstacle, owner, now }: Question,
  record: ReplicaRecord,
  actions: Action[],
): Decision {
  const { attempt = "", revision, startedAt = new Date(now).toISOString() } = record.current ?? {};
  const state: ReplicaState = { running: { pid: orphans[0]?.[1][0] ?? 0, startedAt } };
  const unwanted = orphans.filter(
    ([path]) => !desired || path !== desired.path || (revision !== undefined && revision !== desired.revision && obstacle === undefined),
  );
  if (unwanted.length === 0) return { actions, state };
  const reason: StopReason = desired ? "new revision" : "not declared any more";
  const grace = (desired?.resource.run.gracePeriodSeconds ?? record.current?.gracePeriodSeconds ?? 30) * 1000;
  const signal = desired?.resource.run.stopSignal ?? record.current?.stopSignal ?? "SIGTERM";
  const deadline = deadlineOf(record, attempt, grace);
  if (deadline !== undefined && now < deadline) return { actions, state, wakeAt: deadline };
  for (const [path] of unwanted) {
    if (deadline === undefined) actions.push({ type: "signalAll", owner, path, replica, signal, reason, record: stopping(record, attempt, now) });
    else actions.push({ type: "kill", owner, path, replica, reason: "grace period over" });
  }
  return { actions, state, wakeAt: now + grace };
}

function stopping(record: ReplicaRecord, attempt: string, since: number): ReplicaRecord {
  return { ...record, stopping: { attempt, since } };
}

/** Until when it has time to end by itself; undefined when it was not asked yet. */
function deadlineOf({ stopping }: ReplicaRecord, attempt: string, grace: number): number | undefined {
  return stopping?.attempt === attempt && !stopping.spared ? stopping.since + grace : undefined;
}
