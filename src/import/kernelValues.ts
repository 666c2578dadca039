/** Knows which limits the values of kernel files come to, cgroup v1's and v2's: the knob table read backwards. */
import { LIMIT_NAMES, type LimitName } from "../api/limits.ts";
import type { KernelFile } from "../cgroup/kernelFile.ts";
import { spellingOf } from "../cgroup/knobs.ts";
import { ratesIn } from "../cgroup/rates.ts";
import { written } from "./draft.ts";

/** Canonical values by file and key. */
export type KernelValues = ReadonlyMap<string, ReadonlyMap<string, string>>;

interface Known {
  readonly knob: LimitName;
  readonly version: 1 | 2;
  readonly file: KernelFile;
}

const FILES: ReadonlyMap<string, Known> = new Map(
  ([1, 2] as const).flatMap((version) =>
    LIMIT_NAMES.flatMap((knob) => (spellingOf(knob, version)?.files ?? []).map((file) => [file.name, { knob, version, file }] as const)),
  ),
);

/** The file as Holdfast knows it; undefined: it has no limit for that. */
export const kernelFileNamed = (name: string): KernelFile | undefined => FILES.get(name)?.file;

const UNITS: Readonly<Record<string, bigint>> = { k: 10n, m: 20n, g: 30n, t: 40n, p: 50n, e: 60n };

/** What the kernel makes of a number with its own units (memparse: base 1024, no fractions): `200M` to `209715200`. */
export function plainNumber(text: string): string {
  const [, number, unit] = /^(\d+)([kmgtpe])$/i.exec(text.trim()) ?? [];
  const shift = unit && UNITS[unit.toLowerCase()];
  return number !== undefined && shift ? String(BigInt(number) << shift) : text.trim();
}

/** The limits, as people write them. `say` hears of what comes out otherwise or, where it must be `exact`, is left out for that. */
export function limitsOf(values: KernelValues, say: (note: string) => void, exact = false): Record<string, unknown> {
  const limits: Record<string, unknown> = {};
  const scalar = (name: string): string | undefined => values.get(name)?.get("");
  const set = (name: LimitName, value: string | undefined): void => {
    if (value !== undefined) limits[name] = written(name, value);
  };
  const disks = new Map<string, Record<string, string>>();
  const rate = (device: string, name: string, value: string): void => {
    if (value === "max") return;
    disks.set(device, { ...disks.get(device), [name]: value });
  };
  for (const [name, byKey] of values) {
    const known = FILES.get(name);
    if (!known) continue;
    const { knob, version, file } = known;
    if (knob === "io.max") for (const [device, text] of byKey) for (const [of, value] of ratesIn(name, text) ?? []) rate(device, of, value);
    else if (version === 2 && knob !== "io.weight") set(knob, scalar(name));
    else if (["memory.max", "cpuset.cpus", "cpuset.mems", "memory.swappiness", "cpu.max.burst"].includes(knob) || knob.startsWith("hugetlb."))
      set(knob, scalar(name));
    else if (name === "io.weight") set("io.weight", byKey.get("default"));
    else if (knob === "memory.low") set(knob, scalar(name) === "max" ? "0" : scalar(name));
    else if (knob === "cpu.weight" || knob === "io.weight")
      converted(knob, file, byKey.get(knob === "io.weight" ? "default" : "") ?? scalar(name), exact, set, say);
  }
  const [quota, period] = [scalar("cpu.cfs_quota_us"), scalar("cpu.cfs_period_us")];
  if (quota !== undefined || period !== undefined) set("cpu.max", `${quota ?? "max"} ${period ?? "100000"}`);
  const [limit, both] = [scalar("memory.limit_in_bytes"), scalar("memory.memsw.limit_in_bytes")];
  if (both === "max") set("memory.swap.max", "max");
  else if (both !== undefined && limit !== undefined && /^\d+ \d+$/.test(`${both} ${limit}`) && BigInt(both) >= BigInt(limit))
    set("memory.swap.max", String(BigInt(both) - BigInt(limit)));
  else if (both !== undefined) say(`memory.memsw.limit_in_bytes ${both} is left out: it means something only beside memory.limit_in_bytes`);
  if (disks.size > 0)
    limits["io.max"] = [...disks].map(([device, rates]) => ({
      device,
      ...Object.fromEntries(Object.entries(rates).map(([name, value]) => [name, Number(value)])),
    }));
  return limits;
}

/** Weights have another scale on cgroup v1: the weight that comes nearest, found with the kernel's own arithmetic. */
function converted(
  knob: LimitName,
  file: KernelFile,
  value: string | undefined,
  exact: boolean,
  set: (name: LimitName, value: string) => void,
  say: (note: string) => void,
): void {
  const wanted = Number(value);
  if (value === undefined) return;
  if (!Number.isFinite(wanted)) {
    say(`${file.name} ${value} is left out: it is no number`);
    return;
  }
  const there = (weight: number): number => {
    const spelled = spellingOf(knob, 1)?.spell(String(weight), {}, () => undefined);
    return typeof spelled === "string" ? Number.NaN : Number(spelled?.[0]?.value);
  };
  let [low, high] = [1, 10_000];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (there(middle) < wanted) low = middle + 1;
    else high = middle;
  }
  const weight = low > 1 && wanted - there(low - 1) < there(low) - wanted ? low - 1 : low;
  if (there(weight) !== wanted)
    say(`${file.name} ${value} ${exact ? "is left out" : `comes out as ${there(weight)} on cgroup v1`}: ${knob} ${weight} is the nearest`);
  if (exact && there(weight) !== wanted) return;
  set(knob, String(weight));
}
