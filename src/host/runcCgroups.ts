/** Knows the cgroups that runc makes for a container: one by its name below the replica's, in every hierarchy that is mounted. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Controllers, parseMounts } from "../cgroup/hierarchy.ts";
import { isOf } from "./bundle.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import type { Tree } from "./tree.ts";

/** Removes those of one attempt; false while something is left in one. */
export function removeCgroupsOf(id: string, path: string, files: CgroupFiles, tree: Tree, { all }: Controllers): boolean {
  let done = true;
  for (const mount of parseMounts(readFileSync("/proc/self/mountinfo", "utf8"))) {
    const replica = tree.directory(mount, path);
    for (const name of files.children(replica) ?? []) if (isOf(id, name)) done = removeAll(files, `${replica}/${name}`) && done;
    // A hierarchy without a controller that Holdfast knows (name=systemd) has nothing of it but this.
    if (all.some((known) => known.mount === mount.mount)) continue;
    for (let directory = replica; directory !== mount.mount && remove(files, directory); ) directory = dirname(directory);
  }
  return done;
}

function removeAll(files: CgroupFiles, directory: string): boolean {
  for (const name of files.children(directory) ?? []) removeAll(files, `${directory}/${name}`);
  return remove(files, directory);
}

function remove(files: CgroupFiles, directory: string): boolean {
  try {
    files.removeDirectory(directory);
    return true;
  } catch {
    return false;
  }
}
