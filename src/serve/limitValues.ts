/** Knows limits as numbers, as they are declared and as the kernel says they are: what Prometheus compares. Limits of single disks are none. */
import type { LimitName } from "../api/limits.ts";
import type { Resource } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { isAlike } from "../cgroup/show.ts";
import { compare } from "../plan/compare.ts";
import type { Engine } from "../reconcile/engine.ts";

export interface LimitValue {
  readonly knob: LimitName;
  readonly desired: number;
  /** Undefined: it is not there, or differs in a way that has no number. */
  readonly observed: number | undefined;
}

/** `max` is infinite; `20000 100000` of cpu.max are CPUs; lists and words are none. */
function numberIn(knob: string, text: string): number | undefined {
  if (knob === "cpu.max") {
    const [quota = "", period = "100000"] = text.split(" ");
    return quota === "max" || quota === "-1" ? Number.POSITIVE_INFINITY : finite(Number(quota) / Number(period));
  }
  return text === "max" ? Number.POSITIVE_INFINITY : /^-?\d+$/.test(text) ? Number(text) : undefined;
}

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

/** A limit of an object as a number; undefined where it has none, or none that is one. */
export function limitOf({ limits }: Pick<Resource, "limits">, knob: LimitName): number | undefined {
  const value = limits[knob];
  const number = typeof value === "string" ? numberIn(knob, value) : undefined;
  return number === Number.POSITIVE_INFINITY ? undefined : number;
}

/** Of the first of an object's cgroups: the others have the same. */
export function limitValues({ host, machine, desired }: Engine, [path]: readonly CgroupPath[]): LimitValue[] {
  const cgroup = path === undefined ? undefined : desired.cgroups.get(path);
  if (!cgroup?.owner || path === undefined) return [];
  const limits = Object.entries(cgroup.owner.limits).flatMap(([knob, value]) => {
    const wanted = typeof value === "string" ? numberIn(knob, value) : undefined;
    return wanted === undefined ? [] : [{ knob: knob as LimitName, desired: wanted }];
  });
  if (limits.length === 0) return [];
  const observed = host.observe(machine, new Map([[path, cgroup.hierarchies]]), { cgroups: desired.cgroups });
  const differing = new Map<string, number | undefined>();
  const present = new Set<string>();
  for (const [hierarchy, table] of machine.tables) {
    const seen = observed.cgroups.get(hierarchy)?.get(path);
    if (!seen) continue;
    for (const { knob } of table) present.add(knob);
    const { differences, missing } = compare(table, cgroup, seen, () => undefined);
    for (const { knob } of missing) present.delete(knob);
    // A file that is not alike says nothing of the limit as a whole.
    for (const { knob, file, from } of differences) differing.set(knob, isAlike(knob, file.name) ? numberIn(knob, from) : undefined);
  }
  return limits.map(({ knob, desired: wanted }) => ({
    knob,
    desired: wanted,
    observed: differing.has(knob) ? differing.get(knob) : present.has(knob) ? wanted : undefined,
  }));
}
