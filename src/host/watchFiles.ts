/** Knows when single files outside the manifest directory change: by the names in their directories' events. Hints only. */
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";

export interface FileWatch {
  /** Watches these files, and no others; the name `*` stands for every file of its directory. */
  sync(files: ReadonlySet<string>): void;
  close(): void;
}

/** A file that was changed this recently may still be being written, ms. */
const CALM = 1000;

/** Whether somebody may be writing a file. */
export function isBeingWritten(file: string): boolean {
  try {
    const mtime = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    return mtime !== undefined && mtime <= Date.now() && Date.now() - mtime < CALM;
  } catch {
    return false; // this user may not look: whoever reads it for the user has seen to that
  }
}

/** `changed`: after a change, once nothing has changed for a moment. `comings`: only what comes and goes is told, not what is written. */
export function watchFiles(changed: () => void, calm = CALM, comings = false): FileWatch {
  const watchers = new Map<string, FSWatcher>();
  let names: ReadonlySet<string> = new Set();
  let timer: NodeJS.Timeout | undefined;
  const heard = (event: string, name: string | null): void => {
    if (comings && event !== "rename") return;
    // A link that is switched (`..data`) changes what is behind others.
    if (name !== null && !names.has(name) && !names.has("*") && !name.startsWith("..")) return;
    clearTimeout(timer);
    timer = setTimeout(changed, calm + 10);
  };
  return {
    sync: (files) => {
      names = new Set([...files].map((file) => basename(file)));
      const directories = new Set([...files].map((file) => dirname(file)));
      for (const [directory, watcher] of watchers) {
        if (directories.has(directory)) continue;
        watcher.close();
        watchers.delete(directory);
      }
      for (const directory of directories) {
        if (watchers.has(directory)) continue;
        try {
          const watcher = watch(directory, heard);
          watcher.on("error", () => watchers.delete(directory));
          watchers.set(directory, watcher);
        } catch {
          // It does not exist, or watches are used up: the resync finds it.
        }
      }
    },
    close: () => {
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
