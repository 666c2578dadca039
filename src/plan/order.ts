/** Knows the order in which writes are safe: widen from the outside in, tighten from the inside out, and no value that the kernel refuses in between. */
import { unionOfLists } from "../cgroup/kernelFile.ts";
import { type CgroupPath, depthOf } from "../cgroup/path.ts";
import type { Difference } from "./compare.ts";

/** One write and where it stands in the order. */
export interface Step {
  readonly difference: Difference;
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
const rankOf = (file: string): number => RANKS.get(file) ?? RANK.length;

/** The writes of one cgroup, each in its phase; a change that must pass through a third value becomes two. */
export function steps(differences: readonly Difference[]): Step[] {
  const period = differences.find(({ entry }) => entry.file.name === "cpu.cfs_period_us");
  const quota = differences.find(({ entry }) => entry.file.name === "cpu.cfs_quota_us");
  return differences.flatMap((difference): Step[] => {
    const { entry, from, to } = difference;
    const { file } = entry;
    // With an unlimited quota the period is free; it changes then, between the quota's two writes.
    if (difference === period) return [{ difference, phase: "widen" }];
    if (difference === quota && period && from !== "max" && to !== "max") return detour(difference, "max");
    if (file.name.startsWith("cpuset.") && !file.widens(from, to) && !file.widens(to, from)) return detour(difference, unionOfLists(from, to));
    return [{ difference, phase: file.widens(from, to) ? "widen" : "tighten" }];
  });
}

/** v1: a period that changes under an unchanged finite quota still needs the quota out of its way. */
export function withPeriodDetour(differences: readonly Difference[], quotaNow: Difference | undefined): readonly Difference[] {
  const changesPeriod = differences.some(({ entry }) => entry.file.name === "cpu.cfs_period_us");
  const changesQuota = differences.some(({ entry }) => entry.file.name === "cpu.cfs_quota_us");
  return changesPeriod && !changesQuota && quotaNow && quotaNow.from !== "max" ? [...differences, quotaNow] : differences;
}

function detour(difference: Difference, via: string): Step[] {
  return [
    { difference: { ...difference, to: via }, phase: "widen" },
    { difference: { ...difference, from: via }, phase: "tighten" },
  ];
}

/** Sorts the writes of many cgroups. Stable, and independent of the order in which they come. */
export function inOrder<T extends { readonly path: CgroupPath; readonly step: Step }>(writes: readonly T[]): T[] {
  const keyed = writes.map((write) => {
    const { phase, difference } = write.step;
    const sign = phase === "widen" ? 1 : -1;
    return {
      write,
      phase: sign,
      depth: sign * depthOf(write.path),
      rank: sign * rankOf(difference.entry.file.name),
      name: `${write.path}\n${difference.entry.file.name}\n${difference.key}`,
    };
  });
  keyed.sort(
    (a, b) =>
      b.phase - a.phase ||
      a.depth - b.depth ||
      (a.name === b.name ? 0 : compareGroups(a.write.path, b.write.path)) ||
      a.rank - b.rank ||
      (a.name < b.name ? -1 : 1),
  );
  return keyed.map(({ write }) => write);
}

const compareGroups = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
