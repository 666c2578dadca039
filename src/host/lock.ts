/**
 * Knows that one controller at a time converges a root. The lock is a directory in the root cgroup itself, named after
 * the process: it is where the resource is, whatever run directory is used, and the kernel forgets it at reboot.
 */
import type { Hierarchy } from "../cgroup/hierarchy.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import { commandLineOf, hasEnded, statOf } from "./procfs.ts";
import { LOCK_PREFIX, type Tree } from "./tree.ts";

export class RootInUse extends Error {
  readonly pid: number;

  constructor(pid: number, root: string) {
    const command = commandLineOf(pid).slice(0, 6).join(" ").trim();
    super(`the root cgroup ${root} is already converged by process ${pid} (${command})`);
    this.pid = pid;
  }
}

/** The live controller of a root, if there is one. */
export function controllerOfRoot(files: CgroupFiles, core: Hierarchy, tree: Tree): number | undefined {
  for (const name of files.children(tree.directory(core, "")) ?? []) {
    const holder = parse(name);
    if (holder && holder.pid !== process.pid && alive(holder)) return holder.pid;
  }
  return undefined;
}

/** Takes the lock, or throws RootInUse. Returns how to let go. */
export function takeLock(files: CgroupFiles, core: Hierarchy, tree: Tree): () => void {
  const root = tree.directory(core, "");
  for (const directory of tree.wayToRoot(core)) files.makeDirectory(directory);
  const mine = `${root}/${LOCK_PREFIX}${process.pid}-${statOf(process.pid)?.startTicks ?? 0}`;
  // Make first, look afterwards: of two that come at once, at least one sees the other.
  files.makeDirectory(mine);
  for (const name of files.children(root) ?? []) {
    const holder = parse(name);
    if (!holder || mine.endsWith(`/${name}`)) continue;
    if (alive(holder)) {
      files.removeDirectory(mine);
      throw new RootInUse(holder.pid, tree.root);
    }
    files.removeDirectory(`${root}/${name}`);
  }
  return () => files.removeDirectory(mine);
}

interface LockHolder {
  readonly pid: number;
  readonly startTicks: number;
}

function parse(name: string): LockHolder | undefined {
  const match = /^\.controller-(\d+)-(\d+)$/.exec(name);
  return match ? { pid: Number(match[1]), startTicks: Number(match[2]) } : undefined;
}

/** A process of that pid and start time, and not one that only waits for its parent to notice its end. */
function alive({ pid, startTicks }: LockHolder): boolean {
  const stat = statOf(pid);
  return stat?.startTicks === startTicks && !hasEnded(stat);
}
