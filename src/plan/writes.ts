/** Knows which limits must be written, in what order, and which must not be: reported drift, shrinks that would kill. */
import type { Problem } from "../api/problem.ts";
import { INHERITED_V1, writeText } from "../cgroup/knobs.ts";
import { entryIn, type FileEntry } from "../cgroup/machine.ts";
import { inTheWayOf, steps } from "../cgroup/order.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Action, ActionOf, Cause } from "./action.ts";
import { causeOf, causeOfMissing } from "./applied.ts";
import { compare, type Difference, scalarOf } from "./compare.ts";
import type { Inputs, InScope } from "./decision.ts";
import type { DesiredCgroup } from "./desired.ts";
import { isLeftAlone, settingOf } from "./hold.ts";
import { ledgerKey } from "./ledger.ts";
import type { ObservedCgroup } from "./observed.ts";
import { inOrder, type PlacedWrite, placed } from "./order.ts";
import { BAKE_LOOK, type Harm, harmIn, heldByPressure, isWatched, PRESSURE_LOOK } from "./pressure.ts";
import { identityIn, restorations, routeOf } from "./restore.ts";
import { highMeanwhile, shrinkOf } from "./shrink.ts";
import { notIn, unsupported } from "./uncarried.ts";

/** A difference, and why it is there. */
type Caused = Difference & { readonly cause: Cause };

/**
 * Observations that were found to be as desired. compare() is pure: the same observation of the same cgroup needs no second
 * comparison. What is observed is read from the kernel every time; only an unchanged reading is the same observation.
 */
const clean = new WeakMap<ObservedCgroup, DesiredCgroup>();

/** How `absent` names a v2 controller that the children of a cgroup do not get. */
export const notHandedDown = (path: string, controller: string): string => `${path}>${controller}`;

/** Whether a file is missing because a cgroup above does not hand its controller down, and will not for now. */
function isKeptFrom(path: string, { file }: Difference, table: readonly FileEntry[], absent: ReadonlySet<string>): boolean {
  const controller = table.find((entry) => entry.file === file)?.controller ?? "";
  for (let above = path; above !== ""; ) {
    above = above.slice(0, Math.max(above.lastIndexOf("/"), 0));
    if (absent.has(notHandedDown(above, controller))) return true;
  }
  return false;
}

/** All writes of limits. `absent`: directories, and controllers, that are missing and will stay so. */
export function limitWrites(
  sorted: readonly DesiredCgroup[],
  inputs: Inputs,
  absent: ReadonlySet<string>,
  problems: Problem[],
  inScope: InScope,
): { actions: Action[]; reported: Action[]; wakes: Found["wakes"]; tightened: Found["tightened"] } {
  const found: Found = { writes: [], reported: [], problems, actions: [], wakes: new Map(), tightened: new Map() };
  for (const cgroup of sorted) {
    for (const [hierarchy, table] of inputs.observed.machine.tables) {
      const seen = inputs.observed.cgroups.get(hierarchy)?.get(cgroup.path);
      if (!seen && cgroup.governed) {
        if (cgroup.hierarchies.has(hierarchy) && !cgroup.governed.untouchable) problems.push(...notIn(hierarchy, table, cgroup));
        continue;
      }
      if (!seen && (!cgroup.hierarchies.has(hierarchy) || absent.has(`${hierarchy}:${cgroup.path}`))) continue;
      if (seen && clean.get(seen) === cgroup) continue;
      directoryWrites({ cgroup, hierarchy, table, seen, inputs, absent }, found);
    }
  }
  const { writes: more, settled } = restorations(inputs, inScope);
  return {
    actions: [...settled, ...inOrder([...found.writes, ...more]), ...found.actions],
    reported: found.reported,
    wakes: found.wakes,
    tightened: found.tightened,
  };
}

/** What comes of all of them. */
interface Found {
  readonly writes: PlacedWrite[];
  readonly reported: Action[];
  readonly problems: Problem[];
  /** What else is done, after all writes. */
  readonly actions: Action[];
  readonly wakes: Map<CgroupPath, number>;
  /** Cgroups that get less memory. */
  readonly tightened: Map<CgroupPath, Harm>;
}

/** One directory of one cgroup. */
interface Directory {
  readonly cgroup: DesiredCgroup;
  readonly hierarchy: string;
  readonly table: readonly FileEntry[];
  readonly seen: ObservedCgroup | undefined;
  readonly inputs: Inputs;
  readonly absent: ReadonlySet<string>;
}

function directoryWrites(directory: Directory, found: Found): void {
  const { writes, reported, problems } = found;
  const { cgroup, hierarchy, table, seen, inputs, absent } = directory;
  const { path, owner } = cgroup;
  const { differences, missing } = compare(table, cgroup, seen, (file) => (seen ? undefined : copiedValue(inputs, hierarchy, table, path, file)));
  if (differences.length === 0 && missing.length === 0) {
    if (seen) clean.set(seen, cgroup);
    return;
  }
  for (const { file, knob, controller } of missing)
    problems.push(
      cgroup.governed && !seen?.controllers?.has(controller) && seen?.controllers !== undefined
        ? {
            ...unsupported(owner, path, knob, file.name, ""),
            message: `${path.slice(1)} has no ${controller} controller`,
            hint: "its owner must hand it down, above",
          }
        : unsupported(owner, path, knob, file.name, file.needs),
    );
  const wanted: Caused[] = [];
  const causeOfOne = ({ file, key }: Difference): Cause =>
    seen ? causeOf(inputs.applied, cgroup, file.name, key) : causeOfMissing(inputs.applied, owner, path, hierarchy);
  const leftAlone = isLeftAlone(owner, inputs);
  const shrink =
    seen &&
    differences
      .filter((difference) => causeOfOne(difference) === "pending" || !leftAlone)
      .map((difference) => shrinkOf(cgroup, hierarchy, difference, inputs))
      .find((one) => one !== undefined);
  const shrinking = inputs.shrinks?.has(path) ?? false;
  // It fits now: memory.max comes first, and memory.high goes back at the next look.
  const waits = shrinking && !shrink && differences.some(({ file }) => file.usage !== undefined);
  const high = seen && (shrink || waits) ? highMeanwhile(table, seen, cgroup, shrink, waits) : undefined;
  if (shrink) {
    problems.push(shrink.problem);
    found.actions.push(...shrink.actions);
  }
  if (shrink || waits) found.wakes.set(path, shrink?.wake ?? inputs.now);
  if (typeof high === "object") wanted.push({ ...high, cause: "pending" });
  for (const difference of differences) {
    if (high !== undefined && difference.knob === "memory.high") continue;
    if (shrink && difference.file.usage !== undefined) continue;
    // In a new directory everything is as new as the directory.
    const because = causeOfOne(difference);
    // What Holdfast has lowered for a while is nobody's drift.
    const cause = shrinking && difference.knob === "memory.high" ? "pending" : because;
    const change: Caused = { ...difference, cause };
    if (change.knob !== "frozen" && owner?.ignore.has(change.knob) && (cause === "drift" || !change.declared)) continue;
    const fought = (inputs.contended?.get(path)?.get(settingOf({ hierarchy, file: change.file.name, key: change.key })) ?? 0) > inputs.now;
    if ((cause === "drift" && (fought || leftAlone)) || (absent.size > 0 && isKeptFrom(path, change, table, absent)))
      reported.push(asAction(directory, change));
    else {
      const held = seen && heldByPressure(cgroup, change, inputs);
      if (held) {
        problems.push(held);
        found.wakes.set(path, inputs.now + PRESSURE_LOOK);
        continue;
      }
      if (seen && isWatched(path, change, inputs)) {
        found.tightened.set(path, harmIn(inputs.observed, path));
        found.wakes.set(path, inputs.now + BAKE_LOOK);
      }
      wanted.push(change);
    }
  }
  for (const { change, phase } of steps(withObstacles(wanted, table, cgroup, seen))) writes.push(placed(asAction(directory, change), phase));
}

function asAction(directory: Directory, change: Caused): ActionOf<"write"> {
  const { cgroup, hierarchy, inputs } = directory;
  const { path, owner, governed } = cgroup;
  const { file, knob, key, from, to, declared, cause } = change;
  const text = writeText({ file, key, value: to });
  const standIn = cgroup.settings.get(file.name)?.get(key)?.standIn;
  const what = { path, hierarchy, file: file.name, key, knob, from, to, text, declared, cause, ...(standIn ? { standIn } : {}) };
  const action: ActionOf<"write"> = { type: "write", owner: owner?.key, ...what };
  if (!governed || owner?.kind !== "LimitGroup" || knob === "frozen") return action;
  const route = routeOf({ knob, file: file.name }, governed.unit, owner.limits[knob]);
  const identity = identityIn(inputs.observed, hierarchy, path, route.assignments && governed.unit) ?? "";
  const policy = owner.governs?.deletionPolicy ?? "Restore";
  const known = inputs.observed.ledger().get(ledgerKey({ hierarchy, path, file: file.name, key }));
  const found = known?.identity === identity ? known.found : from;
  const entry = { object: owner.key, path, hierarchy, file: file.name, key, knob, found, written: to, policy, identity };
  return { ...action, governing: { ...route, entry, over: false } };
}

const COPIED = new Set(INHERITED_V1.flatMap(({ file, copied }) => (copied ? [file] : [])));

/** A new directory copies some values from its parent, as that is now. */
function copiedValue({ observed }: Inputs, hierarchy: string, table: readonly FileEntry[], path: string, file: string): string | undefined {
  if (!COPIED.has(file)) return undefined;
  for (let above = path; above !== ""; ) {
    above = above.slice(0, Math.max(above.lastIndexOf("/"), 0));
    const seen = observed.cgroups.get(hierarchy)?.get(above as CgroupPath);
    if (seen) return scalarOf(table, seen.texts, file);
  }
  return observed.machine.inherited.get(file);
}

/** Adds what must get out of the way of a change, for the same reason as the change. */
function withObstacles(wanted: readonly Caused[], table: readonly FileEntry[], cgroup: DesiredCgroup, seen: ObservedCgroup | undefined): readonly Caused[] {
  if (!wanted.some(({ file }) => inTheWayOf.has(file.name))) return wanted;
  const all = [...wanted];
  for (const { file, cause } of wanted) {
    const name = inTheWayOf.get(file.name);
    const index = all.findIndex((other) => other.file.name === name);
    const there = all[index];
    if (there) all[index] = { ...there, cause };
    else {
      const entry = name === undefined ? undefined : entryIn(table, name);
      const value = entry && seen && scalarOf(table, seen.texts, entry.file.name);
      if (entry && value !== undefined)
        all.push({ file: entry.file, knob: entry.knob, key: "", from: value, to: value, declared: cgroup.settings.has(entry.file.name), cause });
    }
  }
  return all;
}
