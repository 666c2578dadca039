/** Knows the three ways people write amounts: bytes, CPU time and durations, and how to write them back. */

/** The outcome of reading what a person wrote: the canonical text, or what was expected instead. */
export type Parsed<T = string> = { readonly ok: T } | { readonly bad: string; readonly hint?: string };

const QUANTITY = /^(?=\.?\d)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d{1,2})|(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?$/;
const POWER: Readonly<Record<string, bigint>> = {
  k: 1000n,
  M: 1000n ** 2n,
  G: 1000n ** 3n,
  T: 1000n ** 4n,
  P: 1000n ** 5n,
  E: 1000n ** 6n,
  Ki: 1024n,
  Mi: 1024n ** 2n,
  Gi: 1024n ** 3n,
  Ti: 1024n ** 4n,
  Pi: 1024n ** 5n,
  Ei: 1024n ** 6n,
};

/** The kernel's counters are signed 64-bit; a larger number would wrap around to a small one. */
const LARGEST = 2n ** 63n - 1n;

/** A rational number: `200Mi`, `1.5G`, `250m`, `1e3` in Kubernetes' grammar. Undefined when it is none. */
function rational(text: string): { numerator: bigint; denominator: bigint } | undefined {
  const match = QUANTITY.exec(text);
  if (!match) return undefined;
  const [, whole = "0", fraction = "", exponentMark, exponent = "0", suffix] = match;
  let numerator = BigInt(whole + fraction);
  let denominator = 10n ** BigInt(fraction.length);
  if (exponentMark) {
    const power = Number(exponent);
    if (power >= 0) numerator *= 10n ** BigInt(power);
    else denominator *= 10n ** BigInt(-power);
  }
  if (suffix === "m") denominator *= 1000n;
  else if (suffix !== undefined) numerator *= POWER[suffix] ?? 1n;
  return { numerator, denominator };
}

/**
 * Bytes as the kernel takes them: a whole decimal number. Source: Kubernetes resource.Quantity, of which
 * only what means the same to everybody is kept (`m` is milli there and MiB to docker; `1g` is nobody's).
 */
export function parseBytes(value: unknown): Parsed {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string") return { bad: "a number of bytes such as 200Mi" };
  // YAML numbers are floats in JavaScript: beyond 2^53 the number read is not the number written.
  if (typeof value === "number" && value > Number.MAX_SAFE_INTEGER)
    return { bad: "less than 2^53 without quotes", hint: "write it with a suffix, in quotes, or max" };
  if (text === "max") return { ok: "max" };
  if (/\d[ ]+[A-Za-z]|^\s|\s$/.test(text))
    return { bad: "a quantity without blanks", ...(text.trim() === "" ? {} : { hint: `write ${text.replaceAll(/\s/g, "")}` }) };
  if (/\dm$/.test(text)) return { bad: "bytes, and m means one thousandth", hint: `write ${text.slice(0, -1)}Mi or ${text.slice(0, -1)}M` };
  const iB = /^([\d.]+)([kKmMgGtTpPeE])(i?)([bB]?)$/.exec(text);
  const amount = rational(text);
  if (!amount) {
    const letter = iB?.[2]?.toUpperCase();
    const hint =
      letter && /^\d+(\.\d+)?$/.test(iB?.[1] ?? "")
        ? `write ${iB?.[1]}${letter}i (powers of 1024)${letter === "K" ? ` or ${iB?.[1]}k` : ` or ${iB?.[1]}${letter}`}`
        : undefined;
    const bad = text.startsWith("-") ? "a number that is not negative, or max" : "a quantity such as 200Mi, 1G or 1048576, or max";
    return hint ? { bad, hint } : { bad };
  }
  if (amount.numerator % amount.denominator !== 0n) return { bad: "a whole number of bytes" };
  const bytes = amount.numerator / amount.denominator;
  if (bytes > LARGEST) return { bad: "less than 8Ei (the kernel would wrap it around to a small number)", hint: "write max" };
  return { ok: bytes.toString() };
}

/** A whole number within bounds, or `max`. */
export function parseCount(value: unknown, least: bigint, most: bigint): Parsed {
  if (value === "max") return { ok: "max" };
  const text = typeof value === "number" ? String(value) : value;
  const amount = typeof text === "string" ? rational(text) : undefined;
  if (!amount || amount.numerator % amount.denominator !== 0n) return { bad: `a whole number from ${least} to ${most}, or max` };
  const count = amount.numerator / amount.denominator;
  if (count < least || count > most) return { bad: `a number from ${least} to ${most}, or max` };
  return { ok: count.toString() };
}

/** What is written with digits alone, as it is in options and queries; undefined where it is not. */
export const wholeNumber = (text: string): number | undefined => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);

/** The micro sign and the Greek letter mu both stand for micro. */
const DURATION_UNIT: Readonly<Record<string, number>> = { us: 1, "\u00b5s": 1, "\u03bcs": 1, ms: 1000, s: 1e6, m: 60e6, h: 3600e6 };

/** A duration in Go's and Kubernetes' notation (`20ms`, `1m30s`), in microseconds. */
export function parseDuration(value: unknown): Parsed<number> {
  const expected = "a duration such as 20ms, 10s or 1m30s";
  if (value === "0" || value === 0) return { ok: 0 };
  if (/^\d+(\.\d+)?$/.test(String(value))) return { bad: expected, hint: `write a unit: ${value}ms or ${value}s` };
  if (typeof value !== "string" || !/^(?:\d+(?:\.\d+)?(?:us|[\u00b5\u03bc]s|ms|s|m|h))+$/.test(value)) return { bad: expected };
  let microseconds = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(us|[\u00b5\u03bc]s|ms|s|m|h)/g)) {
    microseconds += Number(amount) * (DURATION_UNIT[unit ?? ""] ?? 0);
  }
  if (microseconds > 10 * 365 * 24 * 3600e6) return { bad: "a duration below ten years" };
  return { ok: Math.round(microseconds) };
}

const DEFAULT_PERIOD = 100_000;

/**
 * CPU time as the text of the kernel's cpu.max: `QUOTA PERIOD` in microseconds, or `max PERIOD`.
 * Source: Documentation/admin-guide/cgroup-v2.rst; bounds from kernel/sched/core.c (1ms .. 1s; quota below 2^44 us).
 */
export function parseCpu(value: unknown): Parsed {
  const expected = "a percentage of one CPU (20%), a CPU quantity (200m, 0.2, 1.5), {quota, period}, or max";
  if (value === "max") return { ok: `max ${DEFAULT_PERIOD}` };
  if (typeof value === "object" && value !== null) {
    const { quota, period = "100ms" } = value as { quota?: unknown; period?: unknown };
    const parsedPeriod = parseDuration(period);
    if ("bad" in parsedPeriod) return { bad: `period: ${parsedPeriod.bad}` };
    if (parsedPeriod.ok < 1000 || parsedPeriod.ok > 1_000_000) return { bad: "a period from 1ms to 1s" };
    if (quota === "max") return { ok: `max ${parsedPeriod.ok}` };
    const parsedQuota = parseDuration(quota);
    if ("bad" in parsedQuota) return { bad: `quota: ${parsedQuota.bad}`, ...(parsedQuota.hint ? { hint: parsedQuota.hint } : {}) };
    return quotaOf(parsedQuota.ok, parsedPeriod.ok);
  }
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string") return { bad: expected };
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text);
  const amount = rational(percent?.[1] ?? text);
  if (!amount || /[kMGTPEi]/.test(text)) return { bad: expected };
  const perCpu = BigInt(DEFAULT_PERIOD) / (percent ? 100n : 1n);
  const quota = (amount.numerator * perCpu) / amount.denominator;
  if (quota > 2n ** 44n - 1n) return { bad: "a quota the kernel can hold", hint: "write max" };
  return quotaOf(Number(quota), DEFAULT_PERIOD);
}

function quotaOf(quota: number, period: number): Parsed {
  if (quota < 1000) {
    return { bad: `a quota of at least 1ms per period (this is ${quota}us per ${period / 1000}ms)`, hint: "use {quota: 1ms, period: 1s} for small shares" };
  }
  return { ok: `${quota} ${period}` };
}

/** `0-1,4`: canonical ranges, as the kernel prints them (lib/bitmap.c). */
export function parseCpuList(value: unknown): Parsed {
  const expected = "a list of numbers and ranges such as 0-1,4";
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || !/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(text)) return { bad: expected };
  const members = new Set<number>();
  for (const part of text.split(",")) {
    const [first = 0, last = first] = part.split("-").map(Number);
    if (last < first) return { bad: `${expected}, each range upwards`, hint: `write ${last}-${first}` };
    if (last > 8191) return { bad: "numbers up to 8191" };
    for (let member = first; member <= last; member++) members.add(member);
  }
  return { ok: formatCpuList([...members].sort((a, b) => a - b)) };
}

function formatCpuList(sorted: readonly number[]): string {
  const ranges: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let j = i;
    while (sorted[j + 1] === (sorted[j] ?? 0) + 1) j++;
    ranges.push(i === j ? `${sorted[i]}` : `${sorted[i]}-${sorted[j]}`);
    i = j + 1;
  }
  return ranges.join(",");
}

/** `209715200` as people write it: `200Mi`; 30000000 as `30M`. Exact, never rounded. */
export function formatBytes(text: string): string {
  if (!/^\d+$/.test(text)) return text;
  const bytes = BigInt(text);
  if (bytes === 0n) return "0";
  for (const suffix of ["Ei", "Pi", "Ti", "Gi", "Mi", "Ki", "E", "P", "T", "G", "M", "k"]) {
    const unit = POWER[suffix] ?? 1n;
    if (bytes % unit === 0n) return `${bytes / unit}${suffix}`;
  }
  return text;
}

/** Microseconds as people write them: `5ms`, `1m30s`, `0`. */
export function formatDuration(microseconds: number): string {
  if (microseconds === 0) return "0";
  if (microseconds < 1000) return `${microseconds}us`;
  if (microseconds < 1e6) return `${microseconds / 1000}ms`;
  const hours = Math.floor(microseconds / 3600e6);
  const minutes = Math.floor((microseconds % 3600e6) / 60e6);
  const seconds = (microseconds % 60e6) / 1e6;
  return `${hours ? `${hours}h` : ""}${minutes ? `${minutes}m` : ""}${seconds ? `${seconds}s` : ""}`;
}

/** `20000 100000` as people write it: `20%`; with another period `20ms per 50ms`. */
export function formatCpu(text: string): string {
  const [quota = "max", period = "100000"] = text.split(" ");
  if (Number(period) === DEFAULT_PERIOD) return quota === "max" ? "max" : `${Number(quota) / 1000}%`;
  return `${quota === "max" ? "max" : formatDuration(Number(quota))} per ${formatDuration(Number(period))}`;
}
