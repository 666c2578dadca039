/** Knows what is told of a pass as a whole. */
import type { Outcome } from "./apply.ts";

/** How a pass went; in seconds, and in cgroups that wait to be looked at. */
export interface Pass {
  readonly seconds: number;
  readonly outcomes: readonly Outcome[];
  /** It ended with an error of its own. */
  readonly failed: boolean;
  readonly queued: number;
}
