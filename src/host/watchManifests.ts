/** Knows when to look at the manifest directory again. An event means "look at this path", never what happened. */
import { lstatSync, type FSWatcher as NodeWatcher, type Stats, statSync, watch as watchPath } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { FSWatcher } from "chokidar";
import { isManifestName, leadsToDirectory } from "./manifestFiles.ts";
import { isSealName } from "./seal.ts";

export interface ManifestWatch {
  /** Watches afresh when the directory is another one than before (removed and made again, a link that was switched); true then. */
  refresh(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * chokidar lists a directory again at every event in it, and looks at each file: with a thousand manifests that takes longer
 * than all the rest of an edit. Here every directory is listed once; from then on the names in its events are enough.
 */
class DirectoryWatcher extends FSWatcher {
  readonly listed = new Set<string>();

  override _throttle(...[action, path, timeout]: Parameters<FSWatcher["_throttle"]>): ReturnType<FSWatcher["_throttle"]> {
    if (action === "readdir" && this.listed.has(path)) return false;
    if (action === "readdir") this.listed.add(path);
    return super._throttle(action, path, timeout);
  }
}

/** A directory that was made while its parent was being listed may not be watched: what is in it is looked for once more, ms. */
const ONCE_MORE = 500;

/** What a name other than a manifest's may mean: a link or a directory, `..data`; not an editor's leftovers. */
function mayLead(file: string, name: string): "directory" | "link" | undefined {
  if (name.startsWith("..")) return "link";
  const stat = name.startsWith(".") ? undefined : lstatSync(file, { throwIfNoEntry: false });
  if (!stat || stat.isFile()) return undefined;
  return leadsToDirectory(file) ? "directory" : "link";
}

const STALE = "stale";

/** `changed` gets the path of a file, or undefined for "look at everything". */
export function watchManifests(directory: string, changed: (file: string | undefined) => void): ManifestWatch {
  let watcher: DirectoryWatcher | undefined;
  let onceMore: NodeJS.Timeout | undefined;
  let parent: NodeWatcher | undefined;
  let watched = "";

  const identity = (): string => {
    try {
      const stat = statSync(directory, { throwIfNoEntry: false });
      return stat ? `${stat.dev}:${stat.ino}` : "";
    } catch {
      return ""; // a loop of links, a way that is barred: the look at the directory tells
    }
  };
  const arm = async (): Promise<void> => {
    watched = identity();
    if (watched === "") return;
    // Directories only (a watch a file costs much); `raw` events name the file, also where chokidar sees no change.
    const hidden = (path: string): boolean => path !== directory && basename(path).startsWith(".");
    const isFile = (path: string, stat: Stats): boolean => !stat.isDirectory() && !(stat.isSymbolicLink() && leadsToDirectory(path));
    const ignored = (path: string, stat?: Stats): boolean => hidden(path) || (stat !== undefined && isFile(path, stat));
    const made = new DirectoryWatcher({ ignoreInitial: true, atomic: false, ignored });
    watcher = made;
    made.on("raw", (_event: string, name: string | null, details: unknown) => {
      if (name === null) return changed(undefined);
      const file = join((details as { watchedPath: string }).watchedPath, name);
      if (isManifestName(name)) return changed(file);
      if (isSealName(name)) return changed(undefined);
      const lead = mayLead(file, name);
      // Directories that come, go or are switched are rare: then all are watched afresh, before the next look.
      if (lead === "directory" || made.listed.has(file)) watched = STALE;
      else if (lead === undefined) return;
      changed(undefined);
    });
    made.on("error", () => changed(undefined));
    made.add(directory);
    await new Promise<void>((ready) => made.once("ready", ready));
  };
  // The directory itself may go and come back, or be a link that is switched: its parent tells.
  const above = dirname(resolve(directory));
  try {
    parent = watchPath(above, (_event, name) => {
      if (name === null || name === basename(resolve(directory))) changed(undefined);
    });
    parent.on("error", () => {});
  } catch {
    parent = undefined; // the resync finds it
  }
  return {
    refresh: async () => {
      if (identity() === watched) return false;
      const again = watched === STALE;
      await watcher?.close();
      watcher = undefined;
      await arm();
      clearTimeout(onceMore);
      if (again) onceMore = setTimeout(() => changed(undefined), ONCE_MORE);
      return true;
    },
    close: async () => {
      parent?.close();
      clearTimeout(onceMore);
      await watcher?.close();
    },
  };
}
