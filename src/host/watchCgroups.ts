/** Knows when a cgroup may have changed: inotify on its directories and on its cgroup.events. Hints only; the resync is behind them. */
import { type FSWatcher, watch } from "node:fs";
import type { Controllers } from "../cgroup/hierarchy.ts";
import { type CgroupPath, childPath } from "../cgroup/path.ts";
import type { Tree } from "./tree.ts";

export interface CgroupWatch {
  /**
   * Watches these cgroups (with the hierarchies each one has) and, of the others, only those to `keep`. Returns the ones
   * that are watched only now: what happened to them before is not known.
   */
  sync(cgroups: ReadonlyMap<CgroupPath, ReadonlySet<string>>, keep: ReadonlySet<CgroupPath>): readonly CgroupPath[];
  /** Watches one cgroup afresh: it was made again, and the old watch is deaf. */
  rearm(path: CgroupPath): void;
  close(): void;
}

interface Options {
  readonly controllers: Controllers;
  readonly tree: Tree;
  /** `touched`: the file that was written to, and its hierarchy; without it anything may have changed. */
  readonly changed: (path: CgroupPath, touched?: { readonly hierarchy: string; readonly name: string }) => void;
  /** The kernel's limit of watches is reached: from now on the resync is all there is. */
  readonly exhausted: () => void;
}

/** Files that are written to place a process. */
const PLACES: ReadonlySet<string> = new Set(["cgroup.procs", "cgroup.threads", "tasks"]);

function closeIt(this: FSWatcher): void {
  this.close();
}

export function watchCgroups({ controllers, tree, changed, exhausted }: Options): CgroupWatch {
  const watchers = new Map<CgroupPath, FSWatcher[]>();
  const wanted = new Map<CgroupPath, ReadonlySet<string>>();
  let full = false;

  const drop = (path: CgroupPath): void => {
    for (const watcher of watchers.get(path) ?? []) watcher.close();
    watchers.delete(path);
  };
  const one = (file: string, listener: (event: string, name: string | null) => void): FSWatcher[] => {
    if (full) return [];
    try {
      const watcher = watch(file, listener);
      watcher.on("error", closeIt);
      return [watcher];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOSPC" || code === "EMFILE") {
        full = true;
        exhausted();
      }
      return []; // gone meanwhile: the pass that makes it again arms it again
    }
  };
  const arm = (path: CgroupPath): void => {
    drop(path);
    const hierarchies = wanted.get(path);
    if (!hierarchies) return;
    const armed = controllers.all
      .filter(({ id }) => hierarchies.has(id))
      .flatMap((hierarchy) => {
        const directory = tree.directory(hierarchy, path);
        const onDirectory = one(directory, (event, name) => {
          // A child came or went: its own watch, and those below it, are deaf now. Another may stand there already.
          if (event === "rename" && name !== null && !name.startsWith(".")) {
            const child = childPath(path, name);
            if (watchers.has(child))
              for (const below of [...watchers.keys()].filter((each) => each === child || each.startsWith(`${child}/`))) {
                arm(below);
                changed(below);
              }
            changed(child);
          }
          // Processes come and go (each probe does) without any difference to what is declared.
          if (event === "change" && name !== null && PLACES.has(name)) return;
          if (event === "change" && name !== null) changed(path, { hierarchy: hierarchy.id, name });
          else changed(path);
        });
        // The file itself: a directory's watch tells of the kernel's own events only while the file's inode is cached.
        const events =
          hierarchy === controllers.core && hierarchy.version === 2 && path.includes("@") ? one(`${directory}/cgroup.events`, () => changed(path)) : [];
        return [...onDirectory, ...events];
      });
    watchers.set(path, armed);
  };
  return {
    sync: (cgroups, keep) => {
      const fresh: CgroupPath[] = [];
      for (const path of [...watchers.keys()]) {
        if (cgroups.has(path) || keep.has(path)) continue;
        wanted.delete(path);
        drop(path);
      }
      for (const [path, hierarchies] of cgroups) {
        const before = wanted.get(path);
        if (watchers.has(path) && before?.size === hierarchies.size) continue;
        wanted.set(path, hierarchies);
        arm(path);
        fresh.push(path);
      }
      return fresh;
    },
    rearm: arm,
    close: () => {
      for (const path of [...watchers.keys()]) drop(path);
    },
  };
}
