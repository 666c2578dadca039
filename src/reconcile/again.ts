/** Knows what must be looked at once more after a round, before a convergence can be called one. */
import { ancestorsOf, type CgroupPath } from "../cgroup/path.ts";
import type { Outcome } from "./apply.ts";

/** A file that is not there: this kernel lacks it, or the cgroup went. The next look tells which. */
export function isMissingFile({ action, error }: Outcome): boolean {
  return action.type === "write" && error?.code === "ENOENT";
}

/** A process that ended before it could be moved: nothing was done, and nothing is wrong. */
export const isGoneProcess = ({ action, error }: Outcome): boolean => (action.type === "join" || action.type === "leave") && error?.code === "ESRCH";

/**
 * What must be looked at once more after these outcomes. A value that was written has been read back, and needs no second
 * look. A new cgroup was taken to be at the kernel's defaults: the first of each hierarchy is looked at to see whether it is.
 */
export function lookAgain(outcomes: readonly Outcome[]): Set<CgroupPath> {
  const paths = new Set<CgroupPath>();
  const sampled = new Set<string>();
  for (const outcome of outcomes) {
    const { action, error, skipped } = outcome;
    if (isMissingFile(outcome)) paths.add(action.path);
    if (error || skipped || action.type === "write" || action.type === "enable" || action.type === "enroll") continue;
    if (action.type === "create") {
      if (sampled.has(action.hierarchy)) continue;
      sampled.add(action.hierarchy);
    }
    paths.add(action.path);
    // Where processes or cgroups went, what is above may be free to go too.
    if (action.type !== "create" && action.type !== "join") for (const above of ancestorsOf(action.path)) paths.add(above);
  }
  return paths;
}
