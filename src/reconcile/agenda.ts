/** Knows which cgroups to look at next, and whether at all of each or only at the files that were touched there. */
import type { CgroupPath } from "../cgroup/path.ts";
import type { Attention, Touch } from "../host/observe.ts";

/** What events have told: the files that were touched, and when that was (ms since the epoch). */
export interface Hints {
  readonly touched?: Attention["touched"];
  readonly times?: ReadonlyMap<CgroupPath, number>;
}

export class Agenda {
  /** When an event first told of each, ms since the epoch. */
  private times = new Map<CgroupPath, number>();
  private cgroups = new Map<CgroupPath, Touch | undefined>();

  get size(): number {
    return this.cgroups.size;
  }

  /** Anything may have changed there. */
  add(path: CgroupPath): void {
    this.cgroups.set(path, undefined);
  }

  addAll(paths: readonly CgroupPath[] | ReadonlySet<CgroupPath>): void {
    for (const path of paths) this.add(path);
  }

  /** One more file was touched. */
  addFile(path: CgroupPath, hierarchy: string, name: string): void {
    if (!this.cgroups.has(path)) this.cgroups.set(path, new Map());
    const known = this.cgroups.get(path);
    if (known) this.cgroups.set(path, new Map(known).set(hierarchy, new Set(known.get(hierarchy)).add(name)));
  }

  /** Only these files have changed, where nothing else is on the agenda. */
  addTouched(touched: NonNullable<Attention["touched"]>): void {
    for (const [path, files] of touched) this.cgroups.set(path, this.cgroups.has(path) ? undefined : files);
  }

  /** An event told of it: the first one counts. */
  told(path: CgroupPath, now: number): void {
    if (!this.times.has(path)) this.times.set(path, now);
  }

  /** All of it; from here on it is empty. */
  take(): { readonly touched: NonNullable<Attention["touched"]>; readonly times: ReadonlyMap<CgroupPath, number> } {
    const taken = { touched: this.cgroups, times: this.times };
    this.cgroups = new Map();
    this.times = new Map();
    return taken;
  }
}
