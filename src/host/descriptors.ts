/** Knows how many files may be kept open. */
import { readFileSync } from "node:fs";

/** Part of the limit of open files that may hold cgroup files open; the rest is for watches, logs and the like. */
export function descriptorBudget(): number {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return Math.min(15_000, Math.floor(Number(limit ?? 1024) * 0.6));
  } catch {
    return 0;
  }
}
