/** Knows limits as numbers, as they are declared and as the kernel says they are: what Prometheus compares. */
import { LIMITS, type LimitName } from "../api/limits.ts";
import type { Resource } from "../api/resource.ts";
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { ratesIn } from "../cgroup/rates.ts";
import { type KernelValues, limitsOf } from "../import/kernelValues.ts";
import type { Engine } from "../reconcile/engine.ts";

interface LimitValue {
  readonly knob: LimitName;
  readonly desired: number;
  /** Undefined: there is no such file. */
  readonly observed: number | undefined;
}

/** A limit of one disk: `rbps`, `wbps` in bytes, `riops`, `wiops` in operations per second. */
interface RateValue {
  readonly device: string;
  readonly rate: string;
  readonly desired: number;
  readonly observed: number | undefined;
}

interface LimitValues {
  readonly limits: readonly LimitValue[];
  readonly rates: readonly RateValue[];
}

/** `max` is infinite; `20000 100000` of cpu.max are CPUs; lists and words are none. */
function numberIn(knob: string, text: string): number | undefined {
  if (knob === "cpu.max") {
    const [quota = "", period = "100000"] = text.split(" ");
    return quota === "max" || quota === "-1" ? Number.POSITIVE_INFINITY : finite(Number(quota) / Number(period));
  }
  // A list of one CPU looks like a number.
  if (knob.startsWith("cpuset.")) return undefined;
  return text === "max" ? Number.POSITIVE_INFINITY : /^-?\d+$/.test(text) ? Number(text) : undefined;
}

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

/** A limit of an object as a number; undefined where it has none, or none that is one. */
export function limitOf({ limits }: Pick<Resource, "limits">, knob: LimitName): number | undefined {
  const value = limits[knob];
  const number = typeof value === "string" ? numberIn(knob, value) : undefined;
  return number === Number.POSITIVE_INFINITY ? undefined : number;
}

/** What is declared of an object and what the kernel says, of the first of its cgroups: the others have the same. */
export function limitValues({ host, machine, desired }: Engine, [path]: readonly CgroupPath[]): LimitValues {
  const cgroup = path === undefined ? undefined : desired.cgroups.get(path);
  if (!cgroup?.owner || path === undefined || Object.keys(cgroup.owner.limits).length === 0) return { limits: [], rates: [] };
  const observed = host.observe(machine, new Map([[path, cgroup.hierarchies]]), { cgroups: desired.cgroups });
  const [to, is] = [new Map<string, ReadonlyMap<string, string>>(), new Map<string, ReadonlyMap<string, string>>()];
  const rates: RateValue[] = [];
  for (const [hierarchy, table] of machine.tables) {
    const seen = observed.cgroups.get(hierarchy)?.get(path);
    for (const [index, { knob, file }] of table.entries()) {
      const settings = cgroup.settings.get(file.name);
      const text = seen?.texts[index];
      if (!settings || text === undefined) continue;
      to.set(file.name, new Map([...settings].map(([key, { value }]) => [key, value])));
      is.set(file.name, new Map([...[...settings.keys()].map((key) => [key, file.initial(key)] as const), ...file.entries(text)]));
      if (knob === "io.max") rates.push(...ratesOf(file.name, to, is, cgroup.owner.limits["io.max"], machine));
    }
  }
  // What was declared comes to what the files will say: whole pages of memory, the weights of cgroup v1.
  const [wanted, found] = [to, is].map((values) => limitsOf(values, () => {})) as [Record<string, unknown>, Record<string, unknown>];
  const limits = Object.entries(cgroup.owner.limits).flatMap(([name, value]) => {
    const knob = name as LimitName;
    const declared = typeof value === "string" ? numberIn(knob, value) : undefined;
    return declared === undefined ? [] : [{ knob, desired: asNumber(knob, wanted[knob]) ?? declared, observed: asNumber(knob, found[knob]) }];
  });
  return { limits, rates };
}

/** Of a limit as people write it. */
function asNumber(knob: LimitName, written: unknown): number | undefined {
  const parsed = written === undefined ? undefined : LIMITS[knob].parse(written);
  return parsed && "ok" in parsed && typeof parsed.ok === "string" ? numberIn(knob, parsed.ok) : undefined;
}

/** Of each disk, by the name that it is declared by. */
function ratesOf(file: string, to: KernelValues, is: KernelValues, declared: unknown, { devices }: Machine): RateValue[] {
  const names = Object.keys((declared ?? {}) as object);
  const numbers = (value: string) =>
    (ratesIn(file, value) ?? []).map(([rate, each]) => [rate, each === "max" ? Number.POSITIVE_INFINITY : Number(each)] as const);
  return [...(to.get(file) ?? [])].flatMap(([number, value]) => {
    const device = names.find((name) => ((fact) => fact && "number" in fact && fact.number === number)(devices.get(name))) ?? number;
    const observed = new Map(numbers(is.get(file)?.get(number) ?? ""));
    return numbers(value).map(([rate, desired]) => ({ device, rate, desired, observed: observed.get(rate) }));
  });
}
