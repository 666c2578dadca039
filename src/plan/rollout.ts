/** Knows how a new revision reaches the replicas of a workload: a few at a time, no more than may be unavailable. */
import type { RunSpec } from "../api/resource.ts";
import type { DesiredReplica } from "./desired.ts";
import { begun, isAlive, readySince } from "./health.ts";
import type { ReplicaRecord } from "./observed.ts";

export interface Rollout {
  /** Replicas that may be (or are being) replaced now. */
  readonly replace: ReadonlySet<string>;
  /** Replicas that run another revision. */
  readonly outdated: readonly string[];
  readonly updated: number;
  readonly available: number;
  /** When time alone may allow more, or lets the deadline pass; ms since the epoch. */
  readonly wakeAt: number | undefined;
  /** The progress deadline has passed with replicas still outdated. */
  readonly failed: boolean;
}

/** Whether what runs is not what is declared, or was to be restarted since it started. */
export function isOutdated(current: { readonly revision: string; readonly startedAt: string }, revision: string, restartAfter: number | undefined): boolean {
  return current.revision !== revision || (restartAfter !== undefined && Date.parse(current.startedAt) < restartAfter);
}

/** `replicas`: all of one workload, in their order. */
export function rolloutOf(
  replicas: readonly DesiredReplica[],
  { strategy }: Pick<RunSpec, "strategy">,
  recordOf: (id: string) => ReplicaRecord | undefined,
  restartAfter: number | undefined,
  now: number,
): Rollout {
  const minReady = strategy.minReadySeconds * 1000;
  const replace = new Set<string>();
  const outdated: string[] = [];
  const candidates: string[] = [];
  const useless: string[] = [];
  let unproven = false;
  const times: number[] = [];
  let progressed = 0;
  let updated = 0;
  let available = 0;
  for (const { id, revision } of replicas) {
    const record = recordOf(id);
    const since = readySince(record);
    const isAvailable = since !== undefined && now - since >= minReady;
    if (isAvailable) available++;
    else if (since !== undefined) times.push(since + minReady);
    if (!record?.current || !isAlive(record) || !isOutdated(record.current, revision, restartAfter)) {
      if (record?.current && isAlive(record)) updated++;
      if (!isAvailable && record?.run) unproven = true;
      progressed = Math.max(progressed, record?.run?.since ?? 0, isAvailable && since !== undefined ? since + minReady : 0);
      continue;
    }
    outdated.push(id);
    if (isAvailable) candidates.push(id);
    else {
      const stopping = begun(record, record.current.attempt);
      if (!stopping) useless.push(id);
      else {
        replace.add(id);
        progressed = Math.max(progressed, stopping.since);
      }
    }
  }
  // What is of no use as it is may go first, but not for a revision that has not been of use anywhere it runs.
  if (!unproven) for (const id of useless) replace.add(id);
  let budget = strategy.maxUnavailable - (replicas.length - available);
  for (const id of candidates.reverse()) if (budget-- > 0) replace.add(id);
  const waits = outdated.some((id) => !replace.has(id));
  const deadline = progressed + strategy.progressDeadlineSeconds * 1000;
  const failed = waits && progressed > 0 && now >= deadline;
  if (waits && !failed && progressed > 0) times.push(deadline);
  const wakeAt = waits && times.length > 0 ? Math.min(...times.filter((time) => time > now), deadline) : undefined;
  return { replace, outdated, updated, available, wakeAt, failed };
}
