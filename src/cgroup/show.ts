/** Knows how people read the values of kernel files: with units, and the same words on every cgroup version. */
import { LIMITS, type LimitName } from "../api/limits.ts";
import { formatBytes, formatDuration } from "../api/quantity.ts";

/** A kernel file's value as people write it. */
export function shownValue(knob: LimitName | "frozen", file: string, value: string): string {
  if (knob === "frozen") return value === "1" || value === "FROZEN" ? "true" : "false";
  if (value === "max" || value === "") return value === "" ? "(empty)" : value;
  if (file === "cpu.cfs_quota_us" || file === "cpu.cfs_period_us" || file === "cpu.cfs_burst_us") return formatDuration(Number(value));
  if (file.startsWith("blkio.throttle.")) return value === "0" ? "max" : file.includes("_bps_") ? `${formatBytes(value)}/s` : `${value}/s`;
  if (file === "memory.memsw.limit_in_bytes") return `${formatBytes(value)} with memory`;
  if (file.startsWith("memory.") && /^\d{4,}$/.test(value)) return formatBytes(value);
  // Where the file's name is the limit's, its text is the canonical text of the limit.
  return file === knob ? LIMITS[knob].format(value) : value;
}
