/** Knows how a verb that goes on keeps up with the manifests. */
import { resolve } from "node:path";
import { watchManifests } from "../host/watchManifests.ts";
import { type GlobalOptions, manifestSource, type Opened } from "./context.ts";

export interface Followed {
  /** Reads them again when they have changed; what is broken stays as it was. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export async function followManifests({ engine, set, directory }: Pick<Opened, "engine" | "set" | "directory">, options: GlobalOptions): Promise<Followed> {
  let changed = false;
  const watch = watchManifests(resolve(directory), () => {
    changed = true;
  });
  await watch.refresh();
  return {
    refresh: async () => {
      if (!changed) return;
      changed = false;
      await watch.refresh();
      set.update(manifestSource(resolve(directory), options).scan().contents);
      engine.load(set.manifests);
    },
    close: () => watch.close(),
  };
}
