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
/** Cgroups that are looked at without a pause. */
const AT_ONCE = 50;

/**
 * Cgroups of which a limit reads otherwise than last time; of those that are not kept open the ones whose turn it is;
 * and what the last plan left in trouble, or could not do (`failed`). Of processes Lives knows (lives.ts).
 */
export function* glance(
  { files, tree }: Host,
  { controllers: { all } }: Machine,
  desired: Desired,
  last: Plan,
  failed: Iterable<string>,
  turn: number,
): Generator<CgroupPath[]> {
  yield [...failed, ...last.problems.flatMap(({ cgroup }) => cgroup ?? []), ...last.reported.map(({ path }) => path)] as CgroupPath[];
  let [kept, worth]: [number, CgroupPath[]] = [0, []];
  for (const { directory, changed } of files.changed()) {
    if (changed) worth.push(tree.pathOf(all, directory));
    if (++kept % AT_ONCE !== 0) continue;
    yield worth;
    worth = [];
  }
  yield worth;
  if (kept >= directoriesOf(desired)) return;
  worth = [];
  let index = 0;
  for (const [path, { hierarchies }] of desired.cgroups) {
    if (index++ % TURNS !== turn % TURNS) continue;
    if (all.some((hierarchy) => hierarchies.has(hierarchy.id) && !files.isKept(tree.directory(hierarchy, path)))) worth.push(path);
    if (worth.length < AT_ONCE) continue;
    yield worth;
    worth = [];
  }
  yield worth;
}
