/** Knows what a plan is made of, and what it is made from. */
import type { Problem } from "../api/problem.ts";
import type { ObjectKey } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Action, Target } from "./action.ts";
import type { Applied } from "./applied.ts";
import type { Desired } from "./desired.ts";
import type { Findings } from "./health.ts";
import type { Contended, Holds } from "./hold.ts";
import type { Membership } from "./members.ts";
import type { Observed } from "./observed.ts";
import type { Bakes, Harm, KillsSeen } from "./pressure.ts";
import type { ReplicaState } from "./question.ts";
import type { Shrinks } from "./shrink.ts";

export interface Plan {
  readonly actions: readonly Action[];
  /** What drifted of objects with `drift: Report`: told, not touched. */
  readonly reported: readonly Action[];
  readonly problems: readonly Problem[];
  readonly states: ReadonlyMap<string, ReplicaState>;
  /** By replica. */
  readonly targets: ReadonlyMap<string, Target>;
  /** By object; undefined where the look was not at members. */
  readonly memberships: ReadonlyMap<ObjectKey, Membership> | undefined;
  /** Cgroups that get less memory now, and what had been before. */
  readonly tightened: ReadonlyMap<CgroupPath, Harm>;
  /** Cgroups that are being watched, of which processes were killed since by that limit. */
  readonly jumped: readonly CgroupPath[];
  /** When time alone will change the plan (a back-off, a grace period), by the cgroup to look at; ms since the epoch. */
  readonly wakes: ReadonlyMap<CgroupPath, number>;
}

export interface Inputs {
  readonly desired: Desired;
  readonly observed: Observed;
  readonly applied: Applied;
  readonly now: number;
  /** What probes have found, by replica. */
  readonly findings?: ReadonlyMap<string, Findings>;
  /** Workloads that somebody asked to restart, and when; ms since the epoch. */
  readonly restartAfter?: ReadonlyMap<string, number>;
  readonly holds?: Holds;
  readonly contended?: Contended;
  readonly shrinks?: Shrinks;
  readonly bakes?: Bakes;
  readonly kills?: ReadonlyMap<CgroupPath, KillsSeen>;
  /** Only these cgroups were observed; undefined: all. */
  readonly scope?: ReadonlySet<CgroupPath> | undefined;
}

/** True for paths within the scope. */
export type InScope = (path: CgroupPath) => boolean;

/** Nothing to do, and nothing known. */
export const NO_PLAN: Plan = {
  ...{ actions: [], reported: [], problems: [], jumped: [] },
  ...{ states: new Map(), targets: new Map(), memberships: undefined, tightened: new Map(), wakes: new Map() },
};
