/** Knows what an engine is given, and who hears of what it does. */
import type { Event } from "../api/status.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Host } from "../host/host.ts";
import type { Plan } from "../plan/decision.ts";
import type { Outcome } from "./apply.ts";
import type { Auditor } from "./auditor.ts";
import type { State } from "./state.ts";

export interface EngineOptions {
  readonly host: Host;
  /** What an earlier controller left; read from the run directory unless it was read already. */
  readonly state?: State;
  readonly emit?: (event: Event) => void;
  readonly progress?: (outcome: Outcome) => void;
  readonly audit?: Auditor;
  /** Hears of every look, and what came of it; `scope`: the cgroups that were looked at, undefined: all. */
  readonly noted?: (decided: Plan, outcomes: readonly Outcome[], scope: ReadonlySet<CgroupPath> | undefined) => void;
  /** Sees the first plan before anything of it is done; throws if it shall not be. */
  readonly approve?: (plan: Plan) => void;
}
