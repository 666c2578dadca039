/** Knows the lines of `holdfast top`: what each group uses of what it may, sorted, filtered, and as a tree. */
import type { LimitName } from "../api/limits.ts";
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { Usage } from "../cgroup/usage.ts";
import type { Measure } from "../host/usage.ts";
import { shortBytes } from "../serve/cells.ts";
import { limitOf } from "../serve/limitValues.ts";

/** What one object uses; numbers as they are, for JSON too. Undefined: not measured, or no limit. */
export interface TopRow {
  readonly key: ObjectKey;
  readonly name: string;
  readonly kind: Resource["kind"];
  readonly parent: ObjectKey | undefined;
  /** CPUs at work, and the quota. */
  readonly cpu: number | undefined;
  readonly cpuMax: number | undefined;
  /** Share of the time in which the quota kept it from running. */
  readonly throttled: number | undefined;
  /** Bytes. */
  readonly memory: number | undefined;
  readonly memoryMax: number | undefined;
  readonly memoryLimitHits: number | undefined;
  readonly oomKills: number | undefined;
  /** Bytes per second. */
  readonly read: number | undefined;
  readonly write: number | undefined;
  readonly readMax: number | undefined;
  readonly writeMax: number | undefined;
  readonly pids: number | undefined;
  readonly pidsMax: number | undefined;
  /** PSI, percent of the last ten seconds. */
  readonly pressure: { readonly cpu: number | undefined; readonly memory: number | undefined; readonly io: number | undefined };
}

export const SORTS = ["cpu", "memory", "io", "pids", "name"] as const satisfies readonly (Measure | "name")[];
export type Sort = (typeof SORTS)[number];

/** What grows as long as something is used: of these a row tells how much a second. */
export const COUNTERS = ["cpuUsec", "throttledUsec", "readBytes", "writeBytes"] as const satisfies readonly (keyof Usage)[];
export type Counter = (typeof COUNTERS)[number];
/** Per second. */
export type Rates = Readonly<Partial<Record<Counter, number>>>;

interface Measured {
  readonly usage: Usage;
  readonly rates: Rates;
  /** How many cgroups these are together: each has the limits. */
  readonly cgroups?: number;
}

interface Limits {
  readonly cpu: number | undefined;
  readonly memory: number | undefined;
  readonly pids: number | undefined;
  readonly read: number | undefined;
  readonly write: number | undefined;
}

/** A declaration never changes: its limits are worked out once. */
const limits = new WeakMap<Resource, Limits>();

function limitsOf(resource: Resource): Limits {
  const known = limits.get(resource);
  if (known) return known;
  const limit = (knob: LimitName): number | undefined => limitOf(resource, knob);
  const found = {
    ...{ cpu: limit("cpu.max"), memory: limit("memory.max"), pids: limit("pids.max") },
    ...{ read: ioLimit(resource, "rbps"), write: ioLimit(resource, "wbps") },
  };
  limits.set(resource, found);
  return found;
}

export function rowOf(resource: Resource, { usage, rates, cgroups = 1 }: Measured): TopRow {
  const max = limitsOf(resource);
  const together = (each: number | undefined): number | undefined => (each === undefined ? undefined : each * cgroups);
  const [cpu, throttled] = [rates.cpuUsec, rates.throttledUsec].map((one) => (one === undefined ? undefined : one / 1e6));
  return {
    key: resource.key,
    name: resource.name,
    kind: resource.kind,
    parent: resource.parent === undefined ? undefined : `LimitGroup/${resource.parent}`,
    cpu,
    cpuMax: together(max.cpu),
    throttled: throttled === undefined ? undefined : Math.min(1, throttled),
    memory: usage.memory,
    memoryMax: together(max.memory),
    memoryLimitHits: usage.memoryLimitHits,
    oomKills: usage.oomKills,
    read: rates.readBytes,
    write: rates.writeBytes,
    readMax: together(max.read),
    writeMax: together(max.write),
    pids: usage.pids,
    pidsMax: together(max.pids),
    pressure: { cpu: usage.cpuPressure, memory: usage.memoryPressure, io: usage.ioPressure },
  };
}

/** Of all disks together, where each has one. */
function ioLimit(resource: Resource, name: string): number | undefined {
  const value = resource.limits["io.max"];
  if (value === undefined || typeof value === "string") return undefined;
  const each = Object.values(value).map((rates) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(rates)?.[1] ?? Number.NaN));
  const sum = each.reduce((all, one) => all + one, 0);
  return each.length > 0 && Number.isFinite(sum) ? sum : undefined;
}

const orders: Readonly<Record<Sort, (row: TopRow) => number>> = {
  cpu: ({ cpu = 0 }) => cpu,
  memory: ({ memory = 0 }) => memory,
  io: ({ read = 0, write = 0 }) => read + write,
  pids: ({ pids = 0 }) => pids,
  name: () => 0,
};

/** In order; as a tree, each behind the one that it is inside of, with its depth. */
export function arranged(rows: readonly TopRow[], sort: Sort, tree: boolean, filter: string): { readonly row: TopRow; readonly depth: number }[] {
  const value = orders[sort];
  const sorted = rows
    .filter(({ name }) => filter === "" || name.includes(filter))
    .map((row) => ({ row, value: value(row) }))
    .sort((a, b) => b.value - a.value || (a.row.name < b.row.name ? -1 : 1))
    .map(({ row }) => row);
  if (!tree) return sorted.map((row) => ({ row, depth: 0 }));
  const shown = new Set(sorted.map(({ key }) => key));
  const below = new Map<ObjectKey | undefined, TopRow[]>();
  for (const row of sorted) {
    const parent = row.parent !== undefined && shown.has(row.parent) ? row.parent : undefined;
    const list = below.get(parent);
    if (list) list.push(row);
    else below.set(parent, [row]);
  }
  const add = (parent: ObjectKey | undefined, depth: number): { row: TopRow; depth: number }[] =>
    (below.get(parent) ?? []).flatMap((row) => [{ row, depth }, ...add(row.key, depth + 1)]);
  return add(undefined, 0);
}

export const HEADER = [
  "NAME",
  "CPU",
  "OF QUOTA",
  "THROTTLED",
  "MEMORY",
  "OF MAX",
  "MAX HITS",
  "OOM KILLS",
  "READ/s",
  "WRITE/s",
  "PIDS",
  "PSI cpu/mem/io",
] as const;

const share = (part: number | undefined, whole: number | undefined): string =>
  part === undefined || whole === undefined || whole === 0 ? "-" : `${((part / whole) * 100).toFixed(0)}%`;
const shown = (value: number | undefined, format: (value: number) => string): string => (value === undefined ? "-" : format(value));
const percent = (value: number): string => `${(value * 100).toFixed(1)}%`;
const rateText = (value: number | undefined, most: number | undefined): string =>
  `${shown(value, (bytes) => shortBytes(Math.round(bytes)))}${most === undefined ? "" : `/${shortBytes(most)}`}`;

/** `depth`: how far in. */
export function cellsOf(row: TopRow, depth: number): string[] {
  const { pressure } = row;
  const psi = [pressure.cpu, pressure.memory, pressure.io].map((value) => shown(value, (one) => one.toFixed(0)));
  return [
    `${"  ".repeat(depth)}${row.name}${row.kind === "Workload" ? " *" : ""}`,
    shown(row.cpu, percent),
    share(row.cpu, row.cpuMax),
    shown(row.throttled, percent),
    shown(row.memory, shortBytes),
    share(row.memory, row.memoryMax),
    shown(row.memoryLimitHits, String),
    shown(row.oomKills, String),
    rateText(row.read, row.readMax),
    rateText(row.write, row.writeMax),
    `${shown(row.pids, String)}${row.pidsMax === undefined ? "" : `/${row.pidsMax}`}`,
    psi.every((value) => value === "-") ? "-" : psi.join("/"),
  ];
}

/** Columns side by side, each as wide as its widest cell; numbers to the right. */
export function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = HEADER.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  "));
}
