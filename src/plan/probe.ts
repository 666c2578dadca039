/** Knows when looks at a workload add up to a verdict: thresholds of successes and failures in a row, as kubelet counts them. */
import type { Probe } from "../api/resource.ts";

export interface Verdict {
  /** What holds now. */
  readonly good: boolean;
  /** Looks in a row that said the same. */
  readonly count: number;
  readonly last: boolean | undefined;
  /** A threshold has just been reached, or holds still. */
  readonly decided: boolean;
}

/** Before the first look. */
export const unknown = (good: boolean): Verdict => ({ good, count: 0, last: undefined, decided: false });

/** The verdict after one more look. */
export function afterLook({ good, count, last }: Verdict, { successThreshold, failureThreshold }: Probe, success: boolean): Verdict {
  const now = last === success ? count + 1 : 1;
  const decided = now >= (success ? successThreshold : failureThreshold);
  return { good: decided ? success : good, count: now, last: success, decided };
}
