/** Knows a cgroup while it is worked out what is desired of it: what it needs, what it says, and what follows from the cgroup above. */
import type { Resource } from "../api/resource.ts";
import type { KernelFile } from "../cgroup/kernelFile.ts";
import type { Setting } from "../cgroup/knobs.ts";
import type { FileEntry, Machine } from "../cgroup/machine.ts";
import { type CgroupPath, parentPath, ROOT } from "../cgroup/path.ts";

/** A cgroup being worked out. */
export interface Draft {
  readonly path: CgroupPath;
  readonly owner: Resource | undefined;
  readonly frozen: boolean;
  /** `hierarchy:controller` (controller "" for a bare directory) that this cgroup itself asks for. */
  readonly own: Set<string>;
  /** The same, with all that is needed below. */
  readonly needs: Set<string>;
  readonly settings: Map<string, ReadonlyMap<string, Setting>>;
}

export const hierarchyIn = (need: string): string => need.slice(0, need.indexOf(":"));

/** Thousands of cgroups say the same few things: each is kept once. */
export class Shared {
  private readonly settings = new Map<KernelFile, Map<string, ReadonlyMap<string, Setting>>>();
  private readonly sets = new Map<string, ReadonlySet<string>>();

  set(draft: Draft, setting: Setting): void {
    const { file, key, value } = setting;
    const before = draft.settings.get(file.name);
    if (before) return void draft.settings.set(file.name, new Map(before).set(key, setting));
    const known = this.settings.get(file) ?? new Map<string, ReadonlyMap<string, Setting>>();
    this.settings.set(file, known);
    const one = known.get(`${key} ${value}`) ?? new Map([[key, setting]]);
    known.set(`${key} ${value}`, one);
    draft.settings.set(file.name, one);
  }

  ids(all: readonly string[]): ReadonlySet<string> {
    const name = [...new Set(all)].sort().join();
    const known = this.sets.get(name) ?? new Set(all);
    this.sets.set(name, known);
    return known;
  }
}

/** v1 gives a new cpuset nothing, and swappiness its parent's: what is not declared follows the parent. */
export class Inheritance {
  private readonly known = new Map<string, string>();
  private readonly files: readonly FileEntry[];
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
    this.files = [...machine.tables.values()].flat().filter(({ file }) => machine.inherited.has(file.name));
  }

  /** Parents must come before their children. */
  apply(draft: Draft, shared: Shared): void {
    for (const { file } of this.files) {
      const declared = draft.settings.get(file.name)?.get("")?.value;
      const above = draft.path === ROOT ? this.machine.inherited.get(file.name) : this.known.get(`${file.name} ${parentPath(draft.path)}`);
      const value = declared ?? above;
      if (value === undefined) continue;
      this.known.set(`${file.name} ${draft.path}`, value);
      // Also where it needs no directory: there may be one from before.
      if (declared === undefined) shared.set(draft, { file, key: "", value });
    }
  }
}
