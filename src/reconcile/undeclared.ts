/** Knows what stands below cgroups that nobody declares: they are not watched, and go together or not at all. */
import type { Machine } from "../cgroup/machine.ts";
import { type CgroupPath, childPath, isForeign, isInternal } from "../cgroup/path.ts";
import type { Host } from "../host/host.ts";
import type { Desired } from "../plan/desired.ts";

/** The cgroups to look at, with all that is below those that are not declared. */
export function withAllBelow(
  { files, tree }: Host,
  { controllers: { all } }: Machine,
  { cgroups }: Desired,
  asked: ReadonlySet<CgroupPath>,
): ReadonlySet<CgroupPath> {
  const scope = new Set(asked);
  const add = (path: CgroupPath): void => {
    const names = new Set(all.flatMap((hierarchy) => files.children(tree.directory(hierarchy, path)) ?? []));
    for (const name of names) {
      if (isInternal(name)) continue;
      scope.add(childPath(path, name));
      add(childPath(path, name));
    }
  };
  for (const path of asked) if (!cgroups.has(path) && !isForeign(path)) add(path);
  return scope;
}
