/** Knows the order in which the writes of many cgroups are safe: widen from the outside in, tighten from the inside out. */
import { rankOf, type Step } from "../cgroup/order.ts";
import { depthOf } from "../cgroup/path.ts";
import type { ActionOf } from "./action.ts";

type Write = ActionOf<"write">;

/** A write, and where it stands among all writes. */
export interface PlacedWrite {
  readonly action: Write;
  /** 1 widens, -1 tightens: then depth and rank count backwards. */
  readonly phase: 1 | -1;
  readonly depth: number;
  readonly rank: number;
}

export function placed(action: Write, step: Step<never>["phase"]): PlacedWrite {
  const phase = step === "widen" ? 1 : -1;
  return { action, phase, depth: phase * depthOf(action.path), rank: phase * rankOf(action.file) };
}

/** Sorts writes; the result does not depend on the order in which they come. */
export function inOrder(writes: readonly PlacedWrite[]): Write[] {
  return [...writes]
    .sort(
      (one, other) =>
        other.phase - one.phase ||
        one.depth - other.depth ||
        compareText(one.action.path, other.action.path) ||
        one.rank - other.rank ||
        compareText(one.action.file, other.action.file) ||
        compareText(one.action.key, other.action.key),
    )
    .map(({ action }) => action);
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
