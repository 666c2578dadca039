/** Knows how well a replica is: hooks and probes in, started and ready out. */
import type { RunSpec } from "../api/resource.ts";
import type { Health, ReplicaRecord, Stopping } from "./observed.ts";

/** What the probes of an attempt have found, told by whoever runs them. */
export interface Findings {
  readonly attempt: string;
  readonly started: boolean;
  readonly ready: boolean;
  /** A probe that failed for good: the attempt must end. */
  readonly failed?: { readonly probe: "startup" | "liveness"; readonly message: string; readonly grace: number | undefined };
  /** The first failure since the last success of any probe. */
  readonly complaint?: string;
}

/** Whether running is not enough to be ready. */
export function needsHealth({ initCommands, postStart, probes }: Pick<RunSpec, "initCommands" | "postStart" | "probes">): boolean {
  return initCommands.length > 0 || postStart !== undefined || Object.keys(probes).length > 0;
}

/** The health of what runs now, as it is remembered. */
export function healthOf({ current, health }: Pick<ReplicaRecord, "current" | "health">): Health | undefined {
  return current !== undefined && health?.attempt === current.attempt ? health : undefined;
}

/** The health of an attempt whose init commands are done. */
export function nextHealth(
  probes: RunSpec["probes"],
  attempt: string,
  before: Health | undefined,
  hooked: boolean,
  findings: Findings | undefined,
  now: number,
): Health {
  const found = findings?.attempt === attempt ? findings : undefined;
  const started = hooked && (probes.startup === undefined || (found?.started ?? before?.started ?? false));
  const ready = started && (probes.readiness === undefined || (found?.ready ?? before?.ready ?? false));
  const complaint = found ? found.complaint : before?.complaint;
  return {
    attempt,
    hooked,
    started,
    ready,
    ...(ready ? { since: before?.ready && before.since !== undefined ? before.since : now } : {}),
    ...(complaint === undefined ? {} : { complaint }),
  };
}

/** Whether something runs, as far as it is remembered. */
export function isAlive(record: ReplicaRecord | undefined): boolean {
  return record?.current !== undefined && record.before === undefined && record.last?.attempt !== record.current.attempt;
}

/** Whether its main process runs, its init commands being done. */
export function isStarted(record: ReplicaRecord | undefined): boolean {
  return record !== undefined && isAlive(record) && (!record.current?.watched || healthOf(record) !== undefined);
}

/** Since when it has been ready, ms since the epoch; undefined while it is not, or is being ended. */
export function readySince(record: ReplicaRecord | undefined): number | undefined {
  if (!record?.current || !isAlive(record) || begun(record, record.current.attempt)) return undefined;
  if (!record.current.watched) return Date.parse(record.current.startedAt);
  const health = healthOf(record);
  return health?.ready ? (health.since ?? Date.parse(record.current.startedAt)) : undefined;
}

/** The end of this attempt that was begun, also if it was taken back: it may come of that all the same. */
export function everBegun({ stopping }: ReplicaRecord, attempt: string): Stopping | undefined {
  return stopping?.attempt === attempt ? stopping : undefined;
}

/** The end of this attempt that was begun, and not taken back. */
export function begun(record: ReplicaRecord, attempt: string): Stopping | undefined {
  const stopping = everBegun(record, attempt);
  return stopping?.spared ? undefined : stopping;
}
