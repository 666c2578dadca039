/** Knows what each limit may be: the grammar of every key of `spec.limits`, its canonical text and how people read it. */

import { formatBytes, formatCpu, formatDuration, type Parsed, parseBytes, parseCount, parseCpu, parseCpuList, parseDuration } from "./quantity.ts";
import type { Limits as WrittenLimits } from "./schema.ts";

/** The kernel's cgroup v2 file name of a limit; the same string is manifest key, schema property and log field. */
export type LimitName = keyof WrittenLimits & string;

/**
 * A limit in canonical form, the text of its cgroup v2 file: `20000 100000`, `209715200`, `max`, `0-1`.
 * Keyed by device for io.max: `{"/dev/sda": "rbps=max wbps=30000000 riops=max wiops=max"}`.
 */
export type LimitValue = string | Readonly<Record<string, string>>;

/** The declared limits of one cgroup, canonical. */
export type Limits = Readonly<Partial<Record<LimitName, LimitValue>>>;

interface Grammar {
  /** What a person wrote, to canonical text. `at` names the place inside the value, when it has places. */
  readonly parse: (value: unknown) => Parsed<LimitValue>;
  /** Canonical text to what a person would write. */
  readonly format: (text: string) => string;
}

/** So many answers are remembered of one question. */
const MOST_REMEMBERED = 10_000;

/** Thousands of objects say the same few things: each is worked out once. */
function remembered<Q, A>(work: (question: Q) => A): (question: Q) => A {
  const known = new Map<Q, A>();
  return (question) => {
    if (typeof question === "object") return work(question);
    let answer = known.get(question);
    if (answer !== undefined) return answer;
    answer = work(question);
    if (known.size >= MOST_REMEMBERED) known.clear();
    known.set(question, answer);
    return answer;
  };
}

const asIs = (text: string): string => text;
const bytes: Grammar = { parse: remembered(parseBytes), format: remembered(formatBytes) };
const list: Grammar = { parse: parseCpuList, format: asIs };
const flag: Grammar = {
  parse: (value) => (typeof value === "boolean" ? { ok: value ? "1" : "0" } : { bad: "true or false" }),
  format: (text) => (text === "1" ? "true" : "false"),
};
const count = (least: bigint, most: bigint): Grammar => ({ parse: remembered((value) => parseCount(value, least, most)), format: asIs });
const burst: Grammar = {
  parse: (value) => {
    const parsed = parseDuration(value);
    return "ok" in parsed ? { ok: String(parsed.ok) } : parsed;
  },
  format: (text) => formatDuration(Number(text)),
};

/** The rates of one device, in the order in which the kernel prints them. */
export const IO_RATES = ["rbps", "wbps", "riops", "wiops"] as const;

/** No limit on any rate of a device: what io.max means by not mentioning it. */
export const IO_UNLIMITED = "rbps=max wbps=max riops=max wiops=max";

/** Above 2^32-1 cgroup v1 stores operations per second as 0, and below 2 cgroup v2 refuses every rate. */
const MOST_IOPS = 2n ** 32n - 1n;

function parseRate(rate: (typeof IO_RATES)[number], value: unknown): Parsed {
  if (rate.endsWith("iops")) return parseCount(value, 2n, MOST_IOPS);
  const parsed = parseBytes(value);
  return "ok" in parsed && parsed.ok !== "max" && BigInt(parsed.ok) < 2n ? { bad: "at least 2 bytes per second, or max" } : parsed;
}

function parseIoMax(value: unknown): Parsed<LimitValue> {
  const devices: Record<string, string> = {};
  for (const entry of value as readonly Record<string, unknown>[]) {
    const device = String(entry["device"]);
    if (!/^(\/|path:\/|\d+:\d+$)/.test(device)) return { bad: `a device such as /dev/sda, 8:0 or path:/srv, not ${device}` };
    if (device in devices) return { bad: `each device once; ${device} stands here twice` };
    const rates: string[] = [];
    for (const rate of IO_RATES) {
      const parsed = parseRate(rate, entry[rate] ?? "max");
      if ("bad" in parsed) return { ...parsed, bad: `${rate}: ${parsed.bad}` };
      rates.push(`${rate}=${parsed.ok}`);
    }
    devices[device] = rates.join(" ");
  }
  return { ok: devices };
}

/** `rbps=max wbps=30000000 …` as people write it: `wbps=30M`. */
function formatIoMax(text: string): string {
  const set = text.split(" ").filter((rate) => !rate.endsWith("=max"));
  if (set.length === 0) return "max";
  return set.map((rate) => rate.replace(/(?<=bps=)\d+/, formatBytes)).join(" ");
}

/** One grammar per limit. Sources: cgroup-v2.rst; bounds measured on kernels 6.1, 6.12 and 6.18. */
export const LIMITS = {
  "cpu.max": { parse: remembered(parseCpu), format: remembered(formatCpu) },
  "cpu.max.burst": burst,
  "cpu.weight": count(1n, 10000n),
  "cpu.idle": flag,
  "cpuset.cpus": list,
  "cpuset.mems": list,
  "memory.max": bytes,
  "memory.high": bytes,
  "memory.low": bytes,
  "memory.min": bytes,
  "memory.swap.max": bytes,
  "memory.oom.group": flag,
  "memory.swappiness": count(0n, 200n),
  "pids.max": count(0n, 4194304n),
  "io.max": { parse: parseIoMax, format: formatIoMax },
  "io.weight": count(1n, 10000n),
  "hugetlb.64KB.max": bytes,
  "hugetlb.2MB.max": bytes,
  "hugetlb.32MB.max": bytes,
  "hugetlb.512MB.max": bytes,
  "hugetlb.1GB.max": bytes,
  "hugetlb.16GB.max": bytes,
} as const satisfies Record<LimitName, Grammar>;

/** What people may write instead: cgroup v1's files and Kubernetes' resources, to the limit that means it. */
export const OTHER_NAMES: Readonly<Record<string, LimitName>> = {
  "cpu.shares": "cpu.weight",
  "cpu.cfs_quota_us": "cpu.max",
  "cpu.cfs_period_us": "cpu.max",
  "cpu.cfs_burst_us": "cpu.max.burst",
  "memory.limit_in_bytes": "memory.max",
  "memory.soft_limit_in_bytes": "memory.low",
  "memory.memsw.limit_in_bytes": "memory.swap.max",
  "blkio.weight": "io.weight",
  "blkio.bfq.weight": "io.weight",
  "blkio.throttle.read_bps_device": "io.max",
  "blkio.throttle.write_bps_device": "io.max",
  "blkio.throttle.read_iops_device": "io.max",
  "blkio.throttle.write_iops_device": "io.max",
  cpu: "cpu.max",
  memory: "memory.max",
  pids: "pids.max",
};

/** Every limit, in the order of the schema. */
export const LIMIT_NAMES = Object.keys(LIMITS) as readonly LimitName[];

/** What is wrong with limits that are each well-formed but contradict one another; undefined when nothing is. */
export function contradiction(limits: Limits): { name: LimitName; message: string; hint: string } | undefined {
  const [quota] = String(limits["cpu.max"] ?? "max").split(" ");
  const saved = limits["cpu.max.burst"];
  if (quota !== "max" && saved !== undefined && Number(saved) > Number(quota)) {
    return {
      name: "cpu.max.burst",
      message: `expected at most the quota of cpu.max (${formatDuration(Number(quota))})`,
      hint: "the kernel refuses a burst above the quota",
    };
  }
  if (limits["cpu.idle"] === "1" && limits["cpu.weight"] !== undefined) {
    return {
      name: "cpu.weight",
      message: "expected nothing beside cpu.idle: true",
      hint: "the kernel gives an idle group its own weight; declare one of the two",
    };
  }
  return undefined;
}
