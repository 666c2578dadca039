/** Knows what each object uses, for those who show many: of what is shown everything, of the others no more than they are sorted by. */
import { setImmediate as breath } from "node:timers/promises";
import type { ObjectKey } from "../api/resource.ts";
import type { Usage } from "../cgroup/usage.ts";
import type { Depth, UsageReader } from "../host/usage.ts";
import { type Desired, pathsByOwner } from "../plan/desired.ts";

export interface UsageQuestion {
  /** How much to read of what is not shown. */
  readonly depth: Depth;
  readonly shown: ReadonlySet<ObjectKey>;
}

export interface UsageAnswer {
  /** When it was read, ms on the machine's monotonic clock. */
  readonly time: number;
  readonly usage: Readonly<Record<ObjectKey, Usage>>;
}

/** Objects that are read without a pause. */
const AT_ONCE = 25;

export async function usageOfAll(desired: Pick<Desired, "cgroups" | "resources">, reader: UsageReader, { depth, shown }: UsageQuestion): Promise<UsageAnswer> {
  const paths = pathsByOwner(desired);
  const time = Number(process.hrtime.bigint() / 1000n) / 1000;
  const usage: Record<ObjectKey, Usage> = {};
  let count = 0;
  for (const key of desired.resources.keys()) {
    if (++count % AT_ONCE === 0) await breath();
    usage[key] = reader.readAll(paths.get(key) ?? [], shown.has(key) ? "all" : depth);
  }
  return { time, usage };
}

const DEPTHS: readonly string[] = ["all", "basics", "cpu", "memory", "io", "pids", "nothing"] satisfies Depth[];

/** The question as a query, `depth=cpu&shown=LimitGroup/batch,Workload/web`. */
export const queryOf = ({ depth, shown }: UsageQuestion): string => `depth=${depth}&shown=${[...shown].join(",")}`;

/** Undefined: that is no question. */
export function questionIn(query: URLSearchParams): UsageQuestion | undefined {
  const depth = query.get("depth") ?? "all";
  if (!DEPTHS.includes(depth)) return undefined;
  return { depth: depth as Depth, shown: new Set((query.get("shown") ?? "").split(",") as ObjectKey[]) };
}
