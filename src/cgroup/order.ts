/** Knows the kernel's rules between the files of one cgroup: in which order values may change, and by which way. */
import { type FileValue, type KernelFile, unionOfLists } from "./kernelFile.ts";

/** One value that shall change. */
export interface Change {
  readonly file: KernelFile;
  readonly from: FileValue;
  readonly to: FileValue;
}

/** One write and where it stands in the order. */
export interface Step<C extends Change> {
  readonly change: C;
  readonly phase: "widen" | "tighten";
}

/**
 * The order within one cgroup while widening; tightening goes backwards. Reasons: an idle group refuses its weight;
 * v1 keeps memory.limit <= memsw.limit; burst stays below quota, so quota grows first and shrinks last.
 */
const RANK: readonly string[] = [
  "freezer.state",
  "cgroup.freeze",
  "cpu.idle",
  "cpu.shares",
  "cpu.weight",
  "cpu.cfs_quota_us",
  "cpu.cfs_period_us",
  "cpu.max",
  "cpu.cfs_burst_us",
  "cpu.max.burst",
  "cpuset.mems",
  "cpuset.cpus",
  "memory.memsw.limit_in_bytes",
  "memory.limit_in_bytes",
  "memory.swap.max",
  "memory.max",
];
const RANKS = new Map(RANK.map((file, index) => [file, index]));

/** The place of a file in the order of its cgroup. */
export function rankOf(file: string): number {
  return RANKS.get(file) ?? RANK.length;
}

const PERIOD = "cpu.cfs_period_us";
const QUOTA = "cpu.cfs_quota_us";

/** The file whose value must get out of the way when this one changes: v1's quota, for its period. */
export const inTheWayOf: ReadonlyMap<string, string> = new Map([[PERIOD, QUOTA]]);

/**
 * The writes of one cgroup, each in its phase; a change that must pass through a third value becomes two. A change whose
 * `from` equals its `to` is one that only gets out of the way of another.
 */
export function steps<C extends Change>(changes: readonly C[]): Step<C>[] {
  const period = changes.find(({ file }) => file.name === PERIOD);
  const all: Step<C>[] = [];
  for (const change of changes) {
    const { file, from, to } = change;
    // With an unlimited quota the period is free; it changes then, between the quota's two writes.
    if (change === period) all.push({ change, phase: "widen" });
    else if (file.name === QUOTA && period && from !== "max" && to !== "max") all.push(...detour(change, "max"));
    else if (from === to) continue;
    else if (file.name.startsWith("cpuset.") && !file.widens(from, to) && !file.widens(to, from)) all.push(...detour(change, unionOfLists(from, to)));
    else all.push({ change, phase: file.widens(from, to) ? "widen" : "tighten" });
  }
  return all;
}

/** The values that a file may take on its way from one to another. `differs`: whether another file of its cgroup is not as it shall be. */
export function valuesBetween(file: string, from: FileValue, to: FileValue, differs: (file: string) => boolean): readonly FileValue[] {
  if (file === QUOTA) return differs(PERIOD) ? ["max"] : [];
  return file.startsWith("cpuset.") ? [unionOfLists(from, to)] : [];
}

function detour<C extends Change>(change: C, via: FileValue): Step<C>[] {
  return [
    { change: { ...change, to: via }, phase: "widen" },
    { change: { ...change, from: via }, phase: "tighten" },
  ];
}
