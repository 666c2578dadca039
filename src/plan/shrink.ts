/**
 * Knows how memory.max gets below what is in use without a kill (cgroup v2 kills until it fits: cgroup-v2.rst): memory.high first, which slows and reclaims but never kills, then memory.max once it
 * fits. After a while in vain everything goes back, and it is tried again later. cgroup v1 refuses by itself, after it has reclaimed what it can (EBUSY).
 */
import type { Problem } from "../api/problem.ts";
import { formatBytes } from "../api/quantity.ts";
import { FORCE_ANNOTATION, isForced } from "../api/resource.ts";
import { entryIn, type FileEntry } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Action } from "./action.ts";
import { type Difference, scalarOf } from "./compare.ts";
import type { Inputs } from "./decision.ts";
import type { DesiredCgroup } from "./desired.ts";
import type { ObservedCgroup } from "./observed.ts";
import { problemOf } from "./problemOf.ts";

/** Cgroups whose memory.max does not fit, and since when (ms since the epoch). */
export type Shrinks = ReadonlyMap<CgroupPath, number>;

/** How long it is tried, how long it rests then, and how often it is looked at meanwhile; ms. */
const [TRY, REST, LOOK] = [30_000, 270_000, 1000];
/** So much is reclaimed at a time, bytes: a write that reclaims much takes long. */
const PORTION = 64 * 1024 * 1024;
const HIGH = "memory.high";

export interface Shrink {
  readonly problem: Problem;
  /** What memory.high shall be for now; undefined: what it is declared to be. */
  readonly high: string | undefined;
  readonly actions: readonly Action[];
  /** When to look again, ms since the epoch. */
  readonly wake: number;
}

/** Undefined where a value fits, or may be written whatever it does. */
export function shrinkOf(cgroup: DesiredCgroup, hierarchy: string, { file, to }: Pick<Difference, "file" | "to">, inputs: Inputs): Shrink | undefined {
  const { owner, path, governed } = cgroup;
  if (!owner || file.usage === undefined || to === "max" || isForced(owner)) return undefined;
  const current = inputs.observed.memoryCurrent(path);
  if (current === undefined || current <= Number(to)) return undefined;
  const since = inputs.shrinks?.get(path) ?? inputs.now;
  const elapsed = (inputs.now - since) % (TRY + REST);
  // Of somebody else's cgroup nothing is written but what is declared.
  const trying = elapsed < TRY && !governed;
  const what = `${formatBytes(to)} is below what is in use`;
  const message = trying
    ? `${what}: memory.high is lowered first, and memory reclaimed; memory.max follows once it fits`
    : `${what}: the kernel would kill processes`;
  const hint = `wait, free memory, or annotate ${FORCE_ANNOTATION}: "true"`;
  const problem = problemOf(owner, "Blocked", "/spec/limits/memory.max", message, { cgroup: path, hint });
  if (!trying) return { problem, high: undefined, actions: [], wake: governed ? inputs.now + TRY : inputs.now + TRY + REST - elapsed };
  const bytes = Math.min(current - Number(to), PORTION);
  return { problem, high: to, actions: [{ type: "reclaim", owner: owner.key, path, hierarchy, bytes }], wake: inputs.now + LOOK };
}

/**
 * What memory.high shall be while memory.max is on its way, in place of what `differences` say of it. Undefined: they hold. As long as memory.max is still to be written, memory.high keeps it from growing.
 */
export function highMeanwhile(
  table: readonly FileEntry[],
  seen: ObservedCgroup,
  cgroup: DesiredCgroup,
  shrink: Shrink | undefined,
  waits: boolean,
): Difference | "as it is" | undefined {
  const entry = entryIn(table, HIGH);
  const from = entry && scalarOf(table, seen.texts, HIGH);
  if (!entry || from === undefined) return undefined;
  if (waits) return "as it is";
  const high = shrink?.high;
  const declared = cgroup.settings.get(HIGH)?.get("")?.value ?? "max";
  if (high === undefined || (declared !== "max" && Number(declared) <= Number(high))) return undefined;
  return from === high ? "as it is" : { file: entry.file, knob: HIGH, key: "", from, to: high, declared: false };
}

/** Takes what a look has found: what does not fit, and what does again, once nothing is left to be written for it. */
export function noteShrinks(
  shrinks: Map<CgroupPath, number>,
  { problems, actions }: { readonly problems: readonly Problem[]; readonly actions: readonly Action[] },
  scope: ReadonlySet<CgroupPath> | undefined,
  now: number,
): void {
  const blocked = new Set(problems.flatMap(({ reason, cgroup }) => (reason === "Blocked" && cgroup !== undefined ? [cgroup as CgroupPath] : [])));
  for (const path of blocked) if (!shrinks.has(path)) shrinks.set(path, now);
  for (const path of shrinks.keys()) {
    const written = actions.some((action) => action.type === "write" && action.path === path && action.knob === "memory.max");
    if (!blocked.has(path) && !written && scope?.has(path) !== false) shrinks.delete(path);
  }
}
