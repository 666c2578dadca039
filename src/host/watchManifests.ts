/** Knows when to look at the manifest directory again. An event means "look at this path", never what happened. */
import { lstatSync, type FSWatcher as NodeWatcher, type Stats, statSync, watch as watchPath } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import { isManifestName } from "./manifestFiles.ts";

export interface ManifestWatch {
  /** Watches afresh when the directory is another one than before (removed and made again, a link that was switched); true then. */
  refresh(): Promise<boolean>;
  close(): Promise<void>;
}

/** Whether another name than a manifest's may change what there is: a link or a directory, `..data`; not an editor's leftovers. */
function mayLead(file: string, name: string): boolean {
  return name.startsWith("..") || (!name.startsWith(".") && !(lstatSync(file, { throwIfNoEntry: false })?.isFile() ?? true));
}

/** `changed` gets the path of a file, or undefined for "look at everything". */
export function watchManifests(directory: string, changed: (file: string | undefined) => void): ManifestWatch {
  let watcher: FSWatcher | undefined;
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
    const made = watch(directory, { ignoreInitial: true, atomic: false, ignored: (_: string, stat?: Stats) => stat !== undefined && !stat.isDirectory() });
    watcher = made;
    made.on("raw", (_event: string, name: string | null, details: unknown) => {
      if (name === null) return changed(undefined);
      const file = join((details as { watchedPath: string }).watchedPath, name);
      if (isManifestName(name)) changed(file);
      else if (mayLead(file, name)) changed(undefined);
    });
    made.on("addDir", () => changed(undefined));
    made.on("unlinkDir", () => changed(undefined));
    made.on("error", () => changed(undefined));
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
      await watcher?.close();
      watcher = undefined;
      await arm();
      return true;
    },
    close: async () => {
      parent?.close();
      await watcher?.close();
    },
  };
}
