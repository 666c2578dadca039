/** Knows what still stands after a look at some cgroups: it says nothing about the others. */
import type { ObjectKey } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Desired } from "../plan/desired.ts";
import type { Plan } from "../plan/plan.ts";

/** The new findings of the cgroups in scope, with what was found before elsewhere. */
export function standing(before: Plan, decided: Plan, scope: ReadonlySet<CgroupPath>, desired: Desired): Plan {
  const looked = new Set([...scope].flatMap((path) => desired.cgroups.get(path)?.owner?.key ?? []));
  const ofManifests = new Set(desired.problems);
  const others = before.problems.filter((problem) => {
    const { object, file } = problem;
    const gone = object !== undefined && !desired.resources.has(object as ObjectKey);
    return !gone && !ofManifests.has(problem) && !decided.problems.includes(problem) && !looked.has(object as ObjectKey) && !scope.has(file as CgroupPath);
  });
  const reported = before.reported.filter(({ path }) => !scope.has(path));
  return { ...decided, problems: [...decided.problems, ...others], reported: [...decided.reported, ...reported] };
}
