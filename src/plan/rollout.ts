/** Knows how a new revision reaches the replicas of a workload: a few at a time, no more than may be unavailable. */
import type { RunSpec } from "../api/resource.ts";
import type { DesiredReplica } from "./desired.ts";
import { begun, isAlive, needsHealth, readySince } from "./health.ts";
import type { ReplicaRecord } from "./observed.ts";
import { earliest } from "./question.ts";

export interface Rollout {
  /** Replicas that may be (or are being) replaced now. */
  readonly replace: ReadonlySet<string>;
  /** Replicas that run another revision. */
  readonly outdated: readonly string[];
  readonly updated: number;
  readonly available: number;
  /** When time alone may allow more, or lets the deadline pass; ms since the epoch. */
  readonly wakeAt: number | undefined;
  /** Replicas that run as they shall (or try to), and have not been available since. */
  readonly unproven: readonly string[];
  /** The progress deadline has passed with replicas outdated or unproven. */
  readonly failed: boolean;
}

/** Whether what runs is not what is declared, or was to be restarted since it started. */
export function isOutdated(current: { readonly revision: string; readonly startedAt: string }, revision: string, restartAfter: number | undefined): boolean {
  return current.revision !== revision || (restartAfter !== undefined && Date.parse(current.startedAt) < restartAfter);
}

/** `replicas`: all of one workload, in their order. */
export function rolloutOf(
  replicas: readonly DesiredReplica[],
  run: RunSpec,
  recordOf: (id: string) => ReplicaRecord | undefined,
  restartAfter: number | undefined,
  now: number,
): Rollout {
  const { strategy } = run;
  const minReady = strategy.minReadySeconds * 1000;
  const replace = new Set<string>();
  const outdated: string[] = [];
  const candidates: string[] = [];
  const useless: string[] = [];
  const unproven: string[] = [];
  let unavailable = false;
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
      if (!isAvailable && record?.run) unavailable = true;
      if (!isAvailable && mayProve(record, revision, run)) unproven.push(id);
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
  if (!unavailable) for (const id of useless) replace.add(id);
  let budget = strategy.maxUnavailable - (replicas.length - available);
  for (const id of candidates.reverse()) if (budget-- > 0) replace.add(id);
  const waits = outdated.some((id) => !replace.has(id)) || unproven.length > 0;
  const deadline = progressed + strategy.progressDeadlineSeconds * 1000;
  const failed = waits && progressed > 0 && now >= deadline;
  if (waits && !failed && progressed > 0) times.push(deadline);
  const wakeAt = waits ? earliest(times.filter((time) => time > now)) : undefined;
  return { replace, outdated, updated, available, wakeAt, unproven, failed };
}

/** Whether it takes more than a start to be available, in an endless workload: whether a rollout may have to wait for it. */
function takesProof({ restartPolicy, strategy, ...run }: RunSpec): boolean {
  return restartPolicy === "Always" && (needsHealth(run) || strategy.minReadySeconds > 0);
}

/** Whether this revision runs, or tries to, and has not been available yet. */
function mayProve(record: ReplicaRecord | undefined, revision: string, run: RunSpec): boolean {
  if (!record?.run || record.run.proven || !takesProof(run)) return false;
  return (isAlive(record) ? record.current : record.last)?.revision === revision;
}

/** When an attempt of the declared revision will have been available for the first time, ms since the epoch; undefined when that needs no note. */
export function provenAt(record: ReplicaRecord, { revision, resource: { run } }: DesiredReplica): number | undefined {
  if (!record.run || record.run.proven || record.current?.revision !== revision || !takesProof(run)) return undefined;
  const since = readySince(record);
  return since === undefined ? undefined : since + run.strategy.minReadySeconds * 1000;
}
