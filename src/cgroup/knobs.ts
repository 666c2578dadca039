/** Knows, for every limit, the kernel files that carry it on cgroup v1 and v2: the one knob table. */
import { IO_RATES, IO_UNLIMITED, LIMIT_NAMES, type LimitName, type Limits, type LimitValue } from "../api/limits.ts";
import { bandwidthFile, bytesFile, type FileValue, type KernelFile, keyedFile, listFile, quotaFile, scalarFile } from "./kernelFile.ts";

/** One value for one kernel file (and one device, in a file of devices). */
export interface Setting {
  readonly file: KernelFile;
  readonly key: string;
  readonly value: FileValue;
  /** It stands in for what is declared. */
  readonly standIn?: true;
}

/** How one cgroup version carries a limit. `spell` gives the settings, or says in words why it cannot. */
export interface Spelling {
  readonly files: readonly KernelFile[];
  readonly spell: (value: LimitValue, limits: Limits, deviceOf: (name: string) => string | undefined) => readonly Setting[] | string;
}

interface Knob {
  readonly v1: Spelling | null;
  readonly v2: Spelling | null;
  /** The controller's name in each version. */
  readonly controller: { readonly v1: string; readonly v2: string };
}

/** A limit whose canonical text is the text of its one file. */
const as = (file: KernelFile): Spelling => ({ files: [file], spell: (value) => [{ file, key: "", value: value as string }] });

const cpuQuota = quotaFile("cpu.cfs_quota_us");
const cpuPeriod = scalarFile("cpu.cfs_period_us", { initial: "100000" });
const cpuShares = scalarFile("cpu.shares", { initial: "1024", heldBy: "cpu.idle" });
const softLimit = bytesFile("memory.soft_limit_in_bytes", { unlimited: "-1" });
const memsw = bytesFile("memory.memsw.limit_in_bytes", { unlimited: "-1", needs: "a kernel booted with swapaccount=1" });
const ioMax = keyedFile("io.max", { initial: IO_UNLIMITED, needs: "CONFIG_BLK_DEV_THROTTLING" });
/** 1 is the least that a group can get: leaving it widens, and comes before the weight that it holds back. */
const idleFile: KernelFile = { ...scalarFile("cpu.idle", { initial: "0", needs: "Linux 5.15" }), widens: (_, to) => to === "0" };
const throttle = ["read_bps", "write_bps", "read_iops", "write_iops"].map((rate) =>
  keyedFile(`blkio.throttle.${rate}_device`, { initial: "0", needs: "CONFIG_BLK_DEV_THROTTLING" }),
);
const ioWeight = keyedFile("io.weight", { initial: "default", unset: { default: "100" }, needs: "CONFIG_BLK_CGROUP_IOCOST" });
const bfqWeight = keyedFile("blkio.bfq.weight", { initial: "100", needs: "the bfq I/O scheduler (CONFIG_BFQ_GROUP_IOSCHED)" });
const BURST_NEEDS = "Linux 5.14";

/** The rates of io.max, `rbps=max wbps=3000 …`, in the order of IO_RATES. */
const ratesOf = (value: string): string[] => IO_RATES.map((rate) => new RegExp(`${rate}=(\\S+)`).exec(value)?.[1] ?? "max");

/** Settings for each device of io.max, under the device's number. */
function eachDevice(
  value: LimitValue,
  deviceOf: (name: string) => string | undefined,
  spell: (device: string, rates: string) => readonly Setting[],
): readonly Setting[] {
  return Object.entries(value as Readonly<Record<string, string>>).flatMap(([name, rates]) => {
    const device = deviceOf(name);
    return device === undefined ? [] : spell(device, rates); // an unknown device is a problem of its own
  });
}

function hugetlb(size: string, page: number): Knob {
  const needs = `huge pages of ${size} (CONFIG_CGROUP_HUGETLB)`;
  return {
    controller: { v1: "hugetlb", v2: "hugetlb" },
    v1: as(bytesFile(`hugetlb.${size}.limit_in_bytes`, { unlimited: "-1", page, needs })),
    v2: as(bytesFile(`hugetlb.${size}.max`, { page, needs })),
  };
}

const cpu = { v1: "cpu", v2: "cpu" } as const;
const cpuset = { v1: "cpuset", v2: "cpuset" } as const;
const memory = { v1: "memory", v2: "memory" } as const;
const io = { v1: "blkio", v2: "io" } as const;
const MiB = 1024 * 1024;

/**
 * Sources: Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst; equivalences as noted. `null`: that version has no
 * such file; declaring the limit there is a KnobUnsupported problem.
 */
const KNOBS = {
  "cpu.max": {
    controller: cpu,
    v1: {
      files: [cpuQuota, cpuPeriod],
      spell: (value) => {
        const [quota = "max", period = "100000"] = (value as string).split(" ");
        return [
          { file: cpuQuota, key: "", value: quota },
          { file: cpuPeriod, key: "", value: period },
        ];
      },
    },
    v2: as(bandwidthFile("cpu.max")),
  },
  "cpu.max.burst": {
    controller: cpu,
    v1: as(scalarFile("cpu.cfs_burst_us", { initial: "0", needs: BURST_NEEDS })),
    v2: as(scalarFile("cpu.max.burst", { initial: "0", needs: BURST_NEEDS })),
  },
  "cpu.idle": { controller: cpu, v1: as(idleFile), v2: as(idleFile) },
  "cpu.weight": {
    controller: cpu,
    // The kernel's own arithmetic (sched_weight_from_cgroup): both spellings give the same scheduler weight.
    v1: { files: [cpuShares], spell: (value) => [{ file: cpuShares, key: "", value: String(Math.max(2, Math.round((Number(value) * 1024) / 100))) }] },
    v2: as(scalarFile("cpu.weight", { initial: "100", heldBy: "cpu.idle" })),
  },
  "cpuset.cpus": { controller: cpuset, v1: as(listFile("cpuset.cpus")), v2: as(listFile("cpuset.cpus")) },
  "cpuset.mems": { controller: cpuset, v1: as(listFile("cpuset.mems")), v2: as(listFile("cpuset.mems")) },
  "memory.swap.max": {
    controller: memory,
    v1: {
      files: [memsw],
      spell: (value, limits) => {
        const most = limits["memory.max"] ?? "max";
        if (value === "max") return [{ file: memsw, key: "", value: "max" }];
        if (most === "max") return "cgroup v1 limits memory and swap together: declare memory.max too";
        return [{ file: memsw, key: "", value: String(BigInt(most as string) + BigInt(value as string)) }];
      },
    },
    v2: as(bytesFile("memory.swap.max", { needs: "a kernel with swap accounting (CONFIG_SWAP; not booted with swapaccount=0)" })),
  },
  "memory.max": {
    controller: memory,
    v1: as(bytesFile("memory.limit_in_bytes", { unlimited: "-1" })),
    v2: as(bytesFile("memory.max", { usage: "memory.current" })),
  },
  "memory.high": { controller: memory, v1: null, v2: as(bytesFile("memory.high")) },
  "memory.low": {
    controller: memory,
    // v1's default "unlimited" and v2's default 0 both mean: no preference among groups.
    v1: { files: [softLimit], spell: (value) => [{ file: softLimit, key: "", value: value === "0" ? "max" : (value as string) }] },
    v2: as(bytesFile("memory.low", { initial: "0" })),
  },
  "memory.min": { controller: memory, v1: null, v2: as(bytesFile("memory.min", { initial: "0" })) },
  "memory.oom.group": { controller: memory, v1: null, v2: as(scalarFile("memory.oom.group", { initial: "0", needs: "Linux 4.19" })) },
  "memory.swappiness": { controller: memory, v1: as(scalarFile("memory.swappiness", { initial: "60" })), v2: null },
  "pids.max": { controller: { v1: "pids", v2: "pids" }, v1: as(scalarFile("pids.max")), v2: as(scalarFile("pids.max")) },
  "io.max": {
    controller: io,
    v1: {
      files: throttle,
      spell: (value, _, deviceOf) =>
        eachDevice(value, deviceOf, (device, rates) => {
          const each = ratesOf(rates);
          return throttle.map((file, index) => ({ file, key: device, value: (each[index] ?? "max").replace("max", "0") }));
        }),
    },
    v2: { files: [ioMax], spell: (value, _, deviceOf) => eachDevice(value, deviceOf, (device, rates) => [{ file: ioMax, key: device, value: rates }]) },
  },
  "io.weight": {
    controller: io,
    // systemd's arithmetic for bfq: 1..100 as it is, 100..10000 onto 100..1000.
    v1: {
      files: [bfqWeight],
      spell: (value) => [
        { file: bfqWeight, key: "default", value: String(Number(value) <= 100 ? value : 100 + Math.floor(((Number(value) - 100) * 900) / 9900)) },
      ],
    },
    v2: { files: [ioWeight], spell: (value) => [{ file: ioWeight, key: "default", value: value as string }] },
  },
  "hugetlb.64KB.max": hugetlb("64KB", 64 * 1024),
  "hugetlb.2MB.max": hugetlb("2MB", 2 * MiB),
  "hugetlb.32MB.max": hugetlb("32MB", 32 * MiB),
  "hugetlb.512MB.max": hugetlb("512MB", 512 * MiB),
  "hugetlb.1GB.max": hugetlb("1GB", 1024 * MiB),
  "hugetlb.16GB.max": hugetlb("16GB", 16 * 1024 * MiB),
} as const satisfies Record<LimitName, Knob>;

const knobOf = (name: LimitName): Knob => KNOBS[name];

/** v1's bfq weight takes a bare number when it means the default: this is the one file whose key is not written. */
const BARE_KEY = new Set([bfqWeight.name]);

/** v2: the file that hands controllers down to children. */
export const HANDS_DOWN = "cgroup.subtree_control";

/** The text of the one write(2) that brings a setting into force. */
export function writeText({ file, key, value }: Setting): string {
  return BARE_KEY.has(file.name) ? value : file.text(key, value);
}

/** A kernel file and the limit it belongs to. */
export interface TableEntry {
  readonly file: KernelFile;
  readonly knob: LimitName;
}

/** All kernel files of a controller in one cgroup version, in the table's order. */
export function filesOfController(version: 1 | 2, controller: string): readonly TableEntry[] {
  const key = version === 1 ? "v1" : "v2";
  return Object.keys(KNOBS).flatMap((name) => {
    const knob = knobOf(name as LimitName);
    return knob.controller[key] === controller ? (knob[key]?.files ?? []).map((file) => ({ file, knob: name as LimitName })) : [];
  });
}

/** Where a limit lives on this machine. */
export function spellingOf(name: LimitName, version: 1 | 2): Spelling | null {
  return knobOf(name)[version === 1 ? "v1" : "v2"];
}

/** A controller's name in a cgroup version. */
export function controllerOf(name: LimitName, version: 1 | 2): string {
  return knobOf(name).controller[version === 1 ? "v1" : "v2"];
}

/** For tests and documentation: each limit with its files in both versions. */
export function knobTable(): readonly { name: LimitName; v1: readonly string[]; v2: readonly string[] }[] {
  return LIMIT_NAMES.map((name) => ({
    name,
    v1: knobOf(name).v1?.files.map((file) => file.name) ?? [],
    v2: knobOf(name).v2?.files.map((file) => file.name) ?? [],
  }));
}

/**
 * Files of v1 that follow the parent where nothing is declared: without CPUs and nodes nothing can enter a cpuset, and
 * swappiness is copied from the parent at mkdir (`copied`).
 */
export const INHERITED_V1: readonly { readonly file: string; readonly controller: string; readonly copied: boolean }[] = [
  { file: "cpuset.mems", controller: "cpuset", copied: false },
  { file: "cpuset.cpus", controller: "cpuset", copied: false },
  { file: "memory.swappiness", controller: "memory", copied: true },
];

/** The file that suspends a cgroup, and its two words. v1's state reads FROZEN below a frozen parent: self_freezing is the group's own. */
export const FREEZER: Readonly<Record<1 | 2, { file: KernelFile; frozen: FileValue; thawed: FileValue }>> = {
  1: {
    file: {
      ...scalarFile("freezer.state", { initial: "THAWED", readFrom: "freezer.self_freezing", needs: "the freezer controller" }),
      entries: (text) => [["", text.trim() === "1" ? "FROZEN" : "THAWED"]],
      widens: (_, to) => to === "THAWED",
    },
    frozen: "FROZEN",
    thawed: "THAWED",
  },
  2: { file: { ...scalarFile("cgroup.freeze", { initial: "0", needs: "Linux 5.2" }), widens: (_, to) => to === "0" }, frozen: "1", thawed: "0" },
};
