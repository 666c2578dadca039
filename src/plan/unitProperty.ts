/** Knows by which properties of a systemd unit a limit is set (systemd.resource-control(5)). */
import type { LimitName, LimitValue } from "../api/limits.ts";

const amount = (value: string): string => (value === "max" ? "infinity" : value);
const same = (property: string) => (value: string) => [`${property}=${value}`];
const bytes = (property: string) => (value: string) => [`${property}=${amount(value)}`];

/** Of the limits that have one; values are canonical (cgroup v2's own). */
const PROPERTIES: Partial<Record<LimitName, (value: string) => readonly string[]>> = {
  "cpu.max": (value) => {
    const [quota = "max", period = "100000"] = value.split(" ");
    if (quota === "max") return ["CPUQuota=", "CPUQuotaPeriodSec="];
    // Two decimals at most, of one CPU.
    return [`CPUQuota=${((Number(quota) / Number(period)) * 100).toFixed(2).replace(/\.?0+$/, "")}%`, `CPUQuotaPeriodSec=${period}us`];
  },
  "cpu.weight": same("CPUWeight"),
  "cpuset.cpus": same("AllowedCPUs"),
  "cpuset.mems": same("AllowedMemoryNodes"),
  "memory.max": bytes("MemoryMax"),
  "memory.high": bytes("MemoryHigh"),
  "memory.low": bytes("MemoryLow"),
  "memory.min": bytes("MemoryMin"),
  "memory.swap.max": bytes("MemorySwapMax"),
  "pids.max": bytes("TasksMax"),
  "io.weight": same("IOWeight"),
};

/** `MemoryMax=104857600`; undefined where systemd has no property that means the same. */
export function unitProperties(name: LimitName, value: LimitValue): readonly string[] | undefined {
  return typeof value === "string" ? PROPERTIES[name]?.(value) : undefined;
}
