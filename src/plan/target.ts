/** Knows for what a hook or a probe is run: an attempt, its cgroup, its surroundings and its identity, all as it was started with. */
import type { Target } from "./action.ts";
import type { DesiredReplica } from "./desired.ts";
import type { ObservedAttempt } from "./observed.ts";

/** Undefined while there is no main process. The variables of another revision than the declared one are those of its main process. */
export function targetOf({ id, meta, main }: ObservedAttempt, desired: DesiredReplica | undefined): Target | undefined {
  if (!meta || !main) return undefined;
  return {
    attempt: id,
    pid: main.pid,
    path: meta.path,
    workingDir: meta.workingDir ?? "/",
    env: desired?.revision === meta.revision ? desired.env : undefined,
    umask: meta.umask,
    wrap: meta.wrap ?? [],
    container: meta.container,
  };
}
