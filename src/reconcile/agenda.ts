/** Knows which cgroups to look at next, and whether at all of each or only at the files that were touched there. */
import type { CgroupPath } from "../cgroup/path.ts";
import type { Attention, Touch } from "../host/observe.ts";

export class Agenda {
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

  /** All of it; from here on it is empty. */
  take(): NonNullable<Attention["touched"]> {
    const taken = this.cgroups;
    this.cgroups = new Map();
    return taken;
  }
}
