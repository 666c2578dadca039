/** Knows the order in which the writes of many cgroups are safe: widen from the outside in, tighten from the inside out. */
import { type Change, rankOf, type Step } from "../cgroup/order.ts";
import { type CgroupPath, depthOf } from "../cgroup/path.ts";

interface Write {
  readonly path: CgroupPath;
  readonly step: Step<Change & { readonly key: string }>;
}

/** Sorts writes; the result does not depend on the order in which they come. */
export function inOrder<W extends Write>(writes: readonly W[]): W[] {
  const keyed = writes.map(keyOf);
  keyed.sort((a, b) => b.phase - a.phase || a.depth - b.depth || compareText(a.write.path, b.write.path) || a.rank - b.rank || compareText(a.name, b.name));
  return keyed.map(({ write }) => write);
}

function keyOf<W extends Write>(write: W): { write: W; phase: number; depth: number; rank: number; name: string } {
  const { phase, change } = write.step;
  const sign = phase === "widen" ? 1 : -1;
  return { write, phase: sign, depth: sign * depthOf(write.path), rank: sign * rankOf(change.file.name), name: `${change.file.name} ${change.key}` };
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
