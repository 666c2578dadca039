/** Knows what there is to tell of what a cgroup uses, in one unit each, whatever kernel tells it. */

/** What a kernel, or a cgroup, does not tell is undefined. */
export interface Usage {
  /** CPU time since the cgroup was made, microseconds. */
  readonly cpuUsec?: number | undefined;
  /** How long its processes were kept from running by cpu.max, microseconds; and in how many periods. */
  readonly throttledUsec?: number | undefined;
  readonly throttledPeriods?: number | undefined;
  /** Bytes. */
  readonly memory?: number | undefined;
  readonly swap?: number | undefined;
  /** How often memory.max was reached. */
  readonly memoryLimitHits?: number | undefined;
  readonly oomKills?: number | undefined;
  /** Processes and threads. */
  readonly pids?: number | undefined;
  /** How often a fork failed for pids.max. */
  readonly pidsLimitHits?: number | undefined;
  /** Bytes and operations since the cgroup was made, over all disks. */
  readonly readBytes?: number | undefined;
  readonly writeBytes?: number | undefined;
  readonly reads?: number | undefined;
  readonly writes?: number | undefined;
  /** PSI, "some avg10": percent of the last ten seconds. */
  readonly cpuPressure?: number | undefined;
  readonly memoryPressure?: number | undefined;
  readonly ioPressure?: number | undefined;
}

/** Counters and amounts add up; of pressure, the worst counts. */
export function sumOf(all: readonly Usage[]): Usage {
  const sum: Record<string, number> = {};
  for (const one of all)
    for (const [name, value] of Object.entries(one) as [string, number | undefined][]) {
      if (value === undefined) continue;
      sum[name] = name.endsWith("Pressure") ? Math.max(sum[name] ?? 0, value) : (sum[name] ?? 0) + value;
    }
  return sum as Usage;
}
