/** Knows for what a hook or a probe is run: an attempt, its cgroup, its surroundings and its identity. */
import type { Target } from "./action.ts";
import type { DesiredReplica } from "./desired.ts";
import type { ObservedAttempt } from "./observed.ts";

/** Undefined while there is no main process. What is not declared any more is asked in the surroundings of its main process. */
export function targetOf({ id, meta, main }: ObservedAttempt, desired: DesiredReplica | undefined): Target | undefined {
  if (!meta || !main) return undefined;
  return {
    attempt: id,
    pid: main.pid,
    path: meta.path,
    workingDir: meta.workingDir ?? "/",
    env: desired?.env,
    umask: desired?.resource.run.identity.umask,
    wrap: meta.wrap ?? [],
  };
}
