/** Knows what was last converged, per object: with it, drift (the machine moved) and pending (the manifest changed) are told apart. */
import type { LimitName, Limits } from "../api/limits.ts";
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { Cause } from "./action.ts";
import { same } from "./same.ts";

export interface AppliedObject {
  readonly limits: Limits;
  readonly frozen: boolean;
}

export type Applied = ReadonlyMap<ObjectKey, AppliedObject>;

/** What will have been applied once this object is converged. */
export function appliedOf(resource: Resource): AppliedObject {
  return { limits: resource.limits, frozen: resource.kind === "LimitGroup" && resource.frozen };
}

/** Why a difference of a limit (or of the cgroup as a whole) exists. */
export function causeOf(applied: Applied, owner: Resource | undefined, knob?: LimitName | "frozen"): Cause {
  const last = owner && applied.get(owner.key);
  if (!owner || !last) return "pending";
  if (knob === undefined) return "drift";
  const now = appliedOf(owner);
  const unchanged = knob === "frozen" ? last.frozen === now.frozen : same(last.limits[knob], now.limits[knob]);
  return unchanged ? "drift" : "pending";
}
