/** Knows which replicas must be looked at because of what happened to others: the rest of their workload, and what depends on it. */
import type { CgroupPath } from "../cgroup/path.ts";
import type { Action } from "../plan/action.ts";
import { type Desired, replicasOf } from "../plan/desired.ts";
import type { Outcome } from "./apply.ts";

/** What changes a replica's record, and with it what others may do. */
const TELLING: ReadonlySet<Action["type"]> = new Set<Action["type"]>([
  "start",
  "record",
  "health",
  "signal",
  "signalAll",
  "hook",
  "conclude",
  "note",
  "forget",
]);

/** Paths of the replicas that wait for a workload or roll out with it; worked out once. */
const relatives = new WeakMap<Desired["replicas"], ReadonlyMap<string, ReadonlySet<CgroupPath>>>();

function relativesIn({ resources, replicas }: Desired): ReadonlyMap<string, ReadonlySet<CgroupPath>> {
  const known = relatives.get(replicas);
  if (known) return known;
  const found = new Map<string, Set<CgroupPath>>();
  const add = (workload: string, paths: readonly CgroupPath[]): void => {
    const all = found.get(workload) ?? new Set();
    for (const path of paths) all.add(path);
    found.set(workload, all);
  };
  for (const resource of resources.values()) {
    if (resource.kind !== "Workload") continue;
    const { name, run } = resource;
    const paths = replicasOf({ replicas }, resource).map(({ path }) => path);
    if (run.replicas > 1) add(name, paths);
    for (const dependency of run.dependsOn) add(dependency.name, paths);
  }
  relatives.set(replicas, found);
  return found;
}

/** The cgroups to look at once more after what was done, besides those where it was done. */
export function related(outcomes: readonly Outcome[], desired: Desired): ReadonlySet<CgroupPath> {
  const paths = new Set<CgroupPath>();
  for (const { action, error, skipped } of outcomes) {
    if (error || skipped || !TELLING.has(action.type) || !action.owner?.startsWith("Workload/")) continue;
    for (const path of relativesIn(desired).get(action.owner.slice("Workload/".length)) ?? []) if (path !== action.path) paths.add(path);
  }
  return paths;
}
