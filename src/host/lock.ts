/**
 * Knows that one controller at a time converges a root. The lock is a directory in the root cgroup itself, named after
 * the process: it is where the resource is, whatever run directory is used, and the kernel forgets it at reboot.
 */
import { readlinkSync } from "node:fs";
import type { Hierarchy } from "../cgroup/hierarchy.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import { commandLineOf, hasEnded, statOf } from "./procfs.ts";
import { LOCK_PREFIX, type Tree } from "./tree.ts";

export class RootInUse extends Error {
  readonly pid: number;

  constructor({ pid, namespace }: LockHolder, root: string, directory: string) {
    const foreign = namespace !== pidNamespace();
    const who = foreign ? "in another pid namespace" : shortened(commandLineOf(pid).join(" ").trim());
    super(`the root cgroup ${root} is already converged by process ${pid} (${who})${foreign ? `: if that is gone for certain, rmdir ${directory}` : ""}`);
    this.pid = pid;
  }
}

const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);

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
  const mine = `${root}/${LOCK_PREFIX}${process.pid}-${statOf(process.pid)?.startTicks ?? 0}-${pidNamespace()}`;
  // Make first, look afterwards: of two that come at once, at least one sees the other.
  files.makeDirectory(mine);
  for (const name of files.children(root) ?? []) {
    const holder = parse(name);
    if (!holder || mine.endsWith(`/${name}`)) continue;
    if (alive(holder)) {
      files.removeDirectory(mine);
      throw new RootInUse(holder, tree.root, `${root}/${name}`);
    }
    files.removeDirectory(`${root}/${name}`);
  }
  return () => files.removeDirectory(mine);
}

interface LockHolder {
  readonly pid: number;
  readonly startTicks: number;
  readonly namespace: string;
}

function parse(name: string): LockHolder | undefined {
  const match = /^\.controller-(\d+)-(\d+)-(\d+)$/.exec(name);
  return match ? { pid: Number(match[1]), startTicks: Number(match[2]), namespace: match[3] ?? "" } : undefined;
}

/** A process of that pid and start time. One of another pid namespace (a container) cannot be looked at: it may be alive. */
function alive({ pid, startTicks, namespace }: LockHolder): boolean {
  if (namespace !== pidNamespace()) return true;
  const stat = statOf(pid);
  return stat?.startTicks === startTicks && !hasEnded(stat);
}

/** The number of this process' pid namespace (namespaces(7)). */
function pidNamespace(): string {
  return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "";
}
