/** Knows of each cgroup whether it stands as it is declared: what was refused there, and what is applied of each object. */
import type { ObjectKey } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { type AppliedObject, appliedNow } from "../plan/applied.ts";
import type { Plan } from "../plan/decision.ts";
import type { Desired } from "../plan/desired.ts";
import type { Outcome } from "./apply.ts";
import { byObject } from "./report.ts";

/** A limit is not in force yet, by Holdfast's own decision. */
const WAITING: ReadonlySet<string> = new Set(["Blocked", "PressureHeld", "Reverted"]);

export class Standings {
  readonly applied: Map<ObjectKey, AppliedObject>;
  /** What is applied of each object once it is converged. */
  goal = new Map<ObjectKey, AppliedObject>();
  readonly failures = new Map<string, readonly Outcome[]>();

  constructor(applied: Iterable<readonly [ObjectKey, AppliedObject]>) {
    this.applied = new Map(applied);
  }

  /** All that was refused and not done since. */
  get refused(): readonly Outcome[] {
    return [...this.failures.values()].flat();
  }

  /** A cgroup whose limits all stand is converged: from now on a difference is drift. */
  settle(decided: Plan, outcomes: readonly Outcome[], scope: ReadonlySet<CgroupPath> | undefined, desired: Desired): void {
    const failed = byObject(
      outcomes.filter(({ error, skipped }) => error || skipped),
      ({ action }) => action.path,
    );
    const waiting = new Set(decided.problems.flatMap(({ reason, cgroup }) => (WAITING.has(reason) && cgroup !== undefined ? [cgroup] : [])));
    for (const path of scope ?? new Set([...this.failures.keys(), ...failed.keys()])) {
      const refused = failed.get(path)?.filter(({ error }) => error);
      if (refused?.length) this.failures.set(path, refused);
      else this.failures.delete(path);
    }
    const stands = (path: string): boolean => (scope as ReadonlySet<string> | undefined)?.has(path) !== false && !failed.has(path) && !waiting.has(path);
    const owners = scope ? [...scope].flatMap((path) => desired.cgroups.get(path)?.owner?.key ?? []) : desired.resources.keys();
    for (const key of new Set(owners)) this.applied.set(key, appliedNow(this.applied.get(key), this.goal.get(key) ?? {}, stands));
    if (desired.held || scope) return;
    for (const key of this.applied.keys()) if (!desired.resources.has(key)) this.applied.delete(key);
  }
}
