/** Knows what is worth a look when nothing has told of a change: cheap enough to be asked all day long. */
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Host } from "../host/host.ts";
import type { Plan } from "../plan/decision.ts";
import type { Desired } from "../plan/desired.ts";

/** Number of directories that are desired, over all hierarchies; counted once. */
const counts = new WeakMap<Desired["cgroups"], number>();

function directoriesOf({ cgroups }: Desired): number {
  const known = counts.get(cgroups) ?? [...cgroups.values()].reduce((sum, { hierarchies }) => sum + hierarchies.size, 0);
  counts.set(cgroups, known);
  return known;
}

/** Opening files to read them is five times as dear as reading open ones: cgroups that are not kept open take turns. */
const TURNS = 6;

/**
 * Cgroups of which a limit reads otherwise than last time; of those that are not kept open the ones whose turn it is;
 * and what the last plan left in trouble, or could not do (`failed`). Of processes Lives knows (lives.ts).
 */
export function glance(
  { files, tree }: Host,
  { controllers: { all } }: Machine,
  desired: Desired,
  last: Plan,
  failed: Iterable<string>,
  turn: number,
): Set<CgroupPath> {
  const worth = new Set([...failed, ...last.problems.flatMap(({ cgroup }) => cgroup ?? []), ...last.reported.map(({ path }) => path)] as CgroupPath[]);
  const { directories, kept } = files.changed();
  for (const directory of directories) worth.add(tree.pathOf(all, directory));
  if (kept >= directoriesOf(desired)) return worth;
  let index = 0;
  for (const [path, { hierarchies }] of desired.cgroups) {
    if (index++ % TURNS !== turn % TURNS) continue;
    for (const hierarchy of all) if (hierarchies.has(hierarchy.id) && !files.isKept(tree.directory(hierarchy, path))) worth.add(path);
  }
  return worth;
}
