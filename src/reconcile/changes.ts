/** Knows which cgroups a change of the manifests concerns, so that an edit of one file costs a look at one cgroup. */
import type { CgroupPath } from "../cgroup/path.ts";
import type { Desired, DesiredCgroup } from "../plan/desired.ts";

/** The paths to look at; undefined for all of them. */
export function changedPaths(before: Desired, after: Desired): ReadonlySet<CgroupPath> | undefined {
  // What nobody declared may be pruned from now on, wherever it is.
  if (before.held && !after.held) return undefined;
  const changed = new Set<CgroupPath>();
  for (const [path, now] of after.cgroups) if (!sameCgroup(before.cgroups.get(path), now)) changed.add(path);
  for (const path of before.cgroups.keys()) if (!after.cgroups.has(path)) changed.add(path);
  for (const { id, path, revision, obstacle } of after.replicas.values()) {
    const old = before.replicas.get(id);
    if (old?.revision !== revision || old.obstacle !== obstacle) {
      changed.add(path);
      if (old) changed.add(old.path);
    }
  }
  // Of all rules the first that fits counts: one that has changed may concern every group.
  if (!sameRules(before, after)) for (const { path } of [...before.members, ...after.members]) changed.add(path);
  return changed;
}

const sameRules = (before: Desired, after: Desired): boolean =>
  before.members.length === after.members.length &&
  after.members.every(({ path, group }, index) => before.members[index]?.path === path && before.members[index]?.group.members === group.members);

function sameCgroup(before: DesiredCgroup | undefined, now: DesiredCgroup): boolean {
  if (before === undefined || before.owner !== now.owner || before.frozen !== now.frozen) return false;
  if (!sameSet(before.hierarchies, now.hierarchies) || !sameSet(before.enable, now.enable) || before.settings.size !== now.settings.size) return false;
  for (const [file, keys] of now.settings) {
    for (const [key, { value }] of keys) if (before.settings.get(file)?.get(key)?.value !== value) return false;
  }
  return true;
}

const sameSet = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => a.size === b.size && [...a].every((one) => b.has(one));
