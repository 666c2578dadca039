/** Knows when a workload that ended may start again. */
import type { Backoff, RunSpec } from "../api/resource.ts";

/**
 * The pause after an end, in ms: none after the first, then `initial`, growing by `factor` up to `max`.
 * Source: Kubernetes, "Pod lifecycle: container restart policy" (10s, 20s, 40s, … 300s).
 */
export function pause(backoff: Backoff, streak: number): number {
  if (streak === 0) return 0;
  return Math.min(backoff.initial * backoff.factor ** Math.min(streak - 1, 1000), backoff.max);
}

/** Ends in a row, after one more: a run of `resetAfter` starts the count anew. */
export function nextStreak(backoff: Backoff, streak: number, ranFor: number): number {
  return ranFor >= backoff.resetAfter ? 0 : streak;
}

/** Whether the policy starts a workload again after this exit. */
export function restarts(policy: RunSpec["restartPolicy"], failed: boolean): boolean {
  return policy === "Always" || (policy === "OnFailure" && failed);
}
