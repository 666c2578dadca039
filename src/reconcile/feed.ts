/** Knows which manifest files are to be read again, and what must be looked at for what they say now. */
import { resolve } from "node:path";
import type { CgroupPath } from "../cgroup/path.ts";
import type { ManifestSource } from "../host/guardedManifests.ts";
import type { Look } from "../host/manifestFiles.ts";
import type { Attention } from "../host/observe.ts";
import { type ManifestWatch, watchManifests } from "../host/watchManifests.ts";
import { changedPaths } from "./changes.ts";
import type { Engine } from "./engine.ts";
import type { ManifestSet } from "./manifests.ts";

/** What an edit asks to look at. */
export type News = { readonly touched: NonNullable<Attention["touched"]> } | { readonly paths: ReadonlySet<CgroupPath> | undefined };

interface Options {
  readonly engine: Engine;
  readonly directory: ManifestSource;
  readonly set: ManifestSet;
  /** There is something to read. */
  readonly due: () => void;
  /** Ask for everything again in so many ms. */
  readonly later: (name: string, delay: number) => void;
}

export class ManifestFeed {
  private readonly options: Options;
  private readonly files = new Set<string>();
  private readonly watch: ManifestWatch;
  /** Whether all files are to be read. */
  private all = true;

  constructor(options: Options) {
    this.options = options;
    this.watch = watchManifests(resolve(options.directory.path), (file) => {
      if (file === undefined) this.all = true;
      else this.files.add(file);
      options.due();
    });
  }

  get due(): boolean {
    return this.all || this.files.size > 0;
  }

  readAll(): void {
    this.all = true;
  }

  /** Watches afresh where the directory is another one than before; then all is to be read. */
  async refresh(): Promise<void> {
    if (await this.watch.refresh()) this.all = true;
  }

  /** Reads what may have changed, and takes it into force; undefined when all is as it was. */
  async read(): Promise<News | undefined> {
    const { directory, set, engine, later } = this.options;
    // Watch first, look afterwards: nothing can happen in between unseen.
    if (this.all) await this.watch.refresh();
    if (!this.due) return undefined;
    const look: Look = (this.all ? undefined : directory.look(this.files)) ?? directory.scan();
    this.all = false;
    this.files.clear();
    if (look.again !== undefined) later("manifests", look.again);
    const updated = set.update(look.contents, { part: look.part, calm: look.calmIn === 0 });
    if (set.lingers) later("calm", look.calmIn + 1);
    if (updated === undefined) return undefined;
    const touched = updated === "all" ? undefined : engine.amend(set.manifests, updated);
    if (touched) return { touched };
    const before = engine.desired;
    engine.load(set.manifests);
    return { paths: changedPaths(before, engine.desired) };
  }

  async close(): Promise<void> {
    await this.watch.close();
  }
}
