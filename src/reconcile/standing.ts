/** Knows what still stands after a look at some cgroups: it says nothing about the others. */
import type { ObjectKey } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Plan } from "../plan/decision.ts";
import type { Desired } from "../plan/desired.ts";

/** The new findings of the cgroups in scope, with what was found before elsewhere. */
export function standing(before: Plan, decided: Plan, scope: ReadonlySet<CgroupPath>, desired: Desired): Plan {
  const ofManifests = new Set(desired.problems);
  const others = before.problems.filter((problem) => {
    const { object, cgroup } = problem;
    const gone = object !== undefined && !desired.resources.has(object as ObjectKey);
    // A problem of the manifests has no cgroup: it stands as long as they say so.
    return !gone && !ofManifests.has(problem) && !decided.problems.includes(problem) && cgroup !== undefined && !scope.has(cgroup as CgroupPath);
  });
  const reported = before.reported.filter(({ path }) => !scope.has(path));
  return { ...decided, problems: [...decided.problems, ...others], reported: [...decided.reported, ...reported] };
}
