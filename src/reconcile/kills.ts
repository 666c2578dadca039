/** Knows in which cgroups processes were killed for memory lately: no event tells of that on every kernel. */
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Host } from "../host/host.ts";
import { oomKills } from "../host/memory.ts";
import type { Plan } from "../plan/decision.ts";
import type { Desired } from "../plan/desired.ts";
import type { KillsSeen } from "../plan/pressure.ts";

/** Where nothing waits for it, it is looked at every so many times. */
const TURNS = 6;
/** Cgroups that are looked at without a pause. */
const AT_ONCE = 25;

export class Kills {
  readonly seen = new Map<CgroupPath, KillsSeen>();

  /** At groups with a limit of memory, a few at a time; `turn` counts the looks. */
  *look({ files, tree }: Host, machine: Machine, { cgroups }: Desired, { problems }: Plan, turn: number): Generator<void> {
    const held = new Set(problems.flatMap(({ reason, cgroup }) => (reason === "PressureHeld" && cgroup !== undefined ? [cgroup] : [])));
    for (const path of this.seen.keys()) if (!cgroups.has(path)) this.seen.delete(path);
    let [index, looked] = [0, 0];
    for (const [path, { owner }] of cgroups) {
      if (owner?.limits["memory.max"] === undefined && owner?.limits["memory.high"] === undefined) continue;
      const before = this.seen.get(path);
      if (index++ % TURNS !== turn % TURNS && before && !held.has(path)) continue;
      const count = oomKills(files, tree, machine, path);
      this.seen.set(path, { count, rose: before && count > before.count ? Date.now() : (before?.rose ?? 0) });
      if (++looked % AT_ONCE === 0) yield;
    }
  }
}
