/** Knows what is asked about one replica, and what an answer is. */
import type { ObjectKey } from "../api/resource.ts";
import type { Action, Target } from "./action.ts";
import type { DesiredReplica } from "./desired.ts";
import type { Findings } from "./health.ts";
import type { Observed, ObservedReplica, ReplicaRecord } from "./observed.ts";

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
  /** What its probes are to ask; undefined while there is nothing to ask. */
  readonly target?: Target | undefined;
}

/** What comes next where nothing runs; its actions are among the others. */
export type Next = Pick<Decision, "state" | "wakeAt">;

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
  /** The workload that it waits for before it starts. */
  readonly unmet: string | undefined;
  /** Whether others that end too depend on it: they end first. */
  readonly dependents: boolean;
  /** Whether it may be replaced now, if it is outdated. */
  readonly mayReplace: boolean;
  /** It shall be restarted if it started before; ms since the epoch. */
  readonly restartAfter: number | undefined;
  /** What its probes have found. */
  readonly findings: Findings | undefined;
  readonly task: Observed["task"];
  readonly oomKills: Observed["oomKills"];
  readonly isDoomed: Observed["isDoomed"];
  readonly now: number;
}

/** Whether it could start again now: what could not runs on as it is. */
export const canStart = ({ obstacle, unmet, frozen }: Question): boolean => obstacle === undefined && unmet === undefined && !frozen;

/** The first of some times, of which some may never come. */
export function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

export const waiting = (reason: string, message: string): ReplicaState => ({ waiting: { reason, message } });
/** When to look again at what takes a moment, ms. */
export const SOON = 20;
