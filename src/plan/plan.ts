/** Knows the decision: desired and observed in, actions in a safe order out. One walk, pure; every verb asks here. */
import type { Problem } from "../api/problem.ts";
import { UNIFIED } from "../cgroup/hierarchy.ts";
import { FREEZER } from "../cgroup/knobs.ts";
import { ancestorsOf, type CgroupPath, childPath, depthOf, isForeign, isInternal, ROOT } from "../cgroup/path.ts";
import type { Action, Cause } from "./action.ts";
import { causeOfEnabling, causeOfMissing } from "./applied.ts";
import { scalarOf } from "./compare.ts";
import type { Inputs, InScope, Plan } from "./decision.ts";
import type { Desired, DesiredCgroup } from "./desired.ts";
import { holdOn, isLeftAlone } from "./hold.ts";
import { membership } from "./members.ts";
import { BAKE_LOOK, hasHarmed } from "./pressure.ts";
import { replicas } from "./replicas.ts";
import { limitWrites, notHandedDown } from "./writes.ts";

/** When to look again at an undeclared cgroup in which something is left, ms: nothing tells when that goes. */
const EMPTIES = 1000;

export function plan(inputs: Inputs): Plan {
  const { desired, scope } = inputs;
  const inScope: InScope = scope ? (path) => scope.has(path) : () => true;
  const reported: Action[] = [];
  const problems: Problem[] = [...desired.problems];
  const wanted = scope ? [...scope].flatMap((path) => desired.cgroups.get(path) ?? []) : [...desired.cgroups.values()];
  const sorted = wanted
    .map((cgroup) => ({ cgroup, depth: depthOf(cgroup.path) }))
    .sort((a, b) => a.depth - b.depth || (a.cgroup.path < b.cgroup.path ? -1 : 1))
    .map(({ cgroup }) => cgroup);
  const structure = creations(sorted, inputs, reported);
  const writes = limitWrites(sorted, inputs, structure.absent, problems, inScope);
  reported.push(...writes.reported);
  const bakes = [...(inputs.bakes ?? [])].filter(([path, { until }]) => inScope(path) && until > inputs.now);
  const lives = replicas(inputs, inScope, structure.absent, problems);
  const members = membership(inputs, inScope, problems);
  reported.push(...members.reported);
  const { removals, kept } = prune(inputs, inScope, lives.busy, members.leaving, problems);
  const of = (...types: Action["type"][]): Action[] => lives.actions.filter(({ type }) => types.includes(type));
  // First what frees room and starts grace periods, then the tree and its limits, then what runs inside them.
  const places: Action[] = [];
  for (const action of of("place")) (action.owner && isLeftAlone(desired.resources.get(action.owner), inputs) ? reported : places).push(action);
  return {
    actions: [
      ...thaws(inputs, inScope, lives.busy),
      ...of("void", "hold", "adopt", "spare", "hook", "unpack", "complain", "signal", "signalAll", "record", "release", "kill", "health", "conclude", "note"),
      ...structure.actions,
      ...writes.actions,
      ...places,
      ...members.actions,
      ...of("start"),
      ...removals,
      ...of("forget"),
    ],
    reported,
    problems,
    states: lives.states,
    targets: lives.targets,
    memberships: members.memberships,
    tightened: writes.tightened,
    jumped: bakes.filter(([path, bake]) => hasHarmed(bake, inputs.observed, path)).map(([path]) => path),
    wakes: new Map([
      ...endsOfHolds(sorted, inputs),
      ...writes.wakes,
      ...bakes.map(([path]) => [path, inputs.now + BAKE_LOOK] as const),
      ...[...kept].map((path) => [path, inputs.now + EMPTIES] as const),
      ...lives.wakes,
    ]),
  };
}

/** When what is left alone for now is to be looked at. */
const endsOfHolds = (cgroups: readonly DesiredCgroup[], { holds, contended, now }: Inputs): (readonly [CgroupPath, number])[] =>
  cgroups.flatMap(({ path, owner }) => {
    const times = [...(contended?.get(path)?.values() ?? []), holdOn(holds, owner?.key, now)?.until ?? 0].filter((time) => time > now);
    return times.length > 0 ? [[path, Math.min(...times)] as const] : [];
  });

/** Missing directories and controllers, parents first. `absent`: what stays missing because drift is only reported. */
function creations(sorted: readonly DesiredCgroup[], inputs: Inputs, reported: Action[]): { actions: Action[]; absent: Set<string> } {
  const { observed, applied } = inputs;
  const actions: Action[] = [];
  const absent = new Set<string>();
  for (const { path, owner, hierarchies, enable } of sorted) {
    if (isForeign(path)) continue;
    const key = owner?.key;
    for (const { id: hierarchy } of observed.machine.controllers.all) {
      if (!hierarchies.has(hierarchy)) continue;
      const there = observed.cgroups.get(hierarchy)?.get(path);
      if (!there) {
        const parent = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
        const cause: Cause = causeOfMissing(applied, owner, path, hierarchy);
        const action: Action = { type: "create", owner: key, path, hierarchy, cause };
        if (absent.has(`${hierarchy}:${parent}`) && path !== "") absent.add(`${hierarchy}:${path}`);
        else if (cause === "drift" && isLeftAlone(owner, inputs)) {
          absent.add(`${hierarchy}:${path}`);
          reported.push(action);
        } else actions.push(action);
      }
      const controllers = hierarchy === UNIFIED ? [...enable].filter((controller) => !there?.subtree?.has(controller)).sort() : [];
      if (controllers.length === 0 || absent.has(`${hierarchy}:${path}`)) continue;
      const cause = there ? causeOfEnabling(applied, owner, path, controllers) : causeOfMissing(applied, owner, path, hierarchy);
      const action: Action = { type: "enable", owner: key, path, hierarchy, controllers, cause };
      if (cause !== "drift" || !isLeftAlone(owner, inputs)) actions.push(action);
      else {
        reported.push(action);
        for (const controller of controllers) absent.add(notHandedDown(path, controller));
      }
    }
  }
  return { actions, absent };
}

/** What a workload makes below its own cgroup is its own for as long as it is declared or lives. */
function belongsToWorkload(path: CgroupPath, desired: Desired, busy: ReadonlySet<CgroupPath>): boolean {
  return ancestorsOf(path).some((above) => busy.has(above) || (above.includes("@") && desired.cgroups.has(above)));
}

/** An undeclared group that was left frozen: what is asked to end there must be able to. */
function thaws({ desired, observed }: Inputs, inScope: InScope, busy: ReadonlySet<CgroupPath>): Action[] {
  if (desired.held) return [];
  const { core } = observed.machine.controllers;
  const { file, frozen, thawed } = FREEZER[core.version];
  const table = observed.machine.tables.get(core.id) ?? [];
  return [...(observed.cgroups.get(core.id) ?? [])].flatMap(([path, { texts }]) => {
    if (
      desired.cgroups.has(path) ||
      isForeign(path) ||
      !inScope(path) ||
      belongsToWorkload(path, desired, busy) ||
      scalarOf(table, texts, file.name) !== frozen
    )
      return [];
    const action: Action = {
      type: "write",
      owner: undefined,
      path,
      hierarchy: core.id,
      file: file.name,
      key: "",
      knob: "frozen",
      from: frozen,
      to: thawed,
      text: thawed,
      declared: false,
      cause: "pending",
    };
    return [action];
  });
}

/**
 * Directories that nobody declares, innermost first. Nothing goes while manifests are broken or processes live there; those
 * that cannot go yet are `kept`.
 */
function prune(
  { desired, observed }: Inputs,
  inScope: InScope,
  busy: ReadonlySet<CgroupPath>,
  leaving: ReadonlySet<number>,
  problems: Problem[],
): { readonly removals: Action[]; readonly kept: ReadonlySet<CgroupPath> } {
  const undeclared = new Map<CgroupPath, string[]>();
  for (const [hierarchy, cgroups] of observed.cgroups) {
    for (const path of cgroups.keys()) {
      if (desired.cgroups.has(path) || !inScope(path) || isInternal(path) || isForeign(path)) continue;
      undeclared.set(path, [...(undeclared.get(path) ?? []), hierarchy]);
    }
  }
  if (desired.held) {
    if (undeclared.size > 0 && desired.problems.length === 0) {
      problems.push({
        reason: "PruneHeld",
        cgroup: ROOT,
        file: [...undeclared.keys()][0] ?? "",
        line: 0,
        column: 0,
        pointer: "",
        message: `there are no manifests, and ${undeclared.size === 1 ? "a cgroup that nobody declares stays" : `${undeclared.size} cgroups that nobody declares stay`}: ${[...undeclared.keys()].slice(0, 5).join(", ")}`,
        hint: "if everything shall go, start with --prune=force",
      });
    }
    return { removals: [], kept: new Set() };
  }
  const removed = new Set<CgroupPath>();
  const kept = new Set<CgroupPath>();
  const removals: Action[] = [];
  for (const path of [...undeclared.keys()].sort((a, b) => depthOf(b) - depthOf(a) || (a < b ? -1 : 1))) {
    if (belongsToWorkload(path, desired, busy)) continue;
    const pids = busy.has(path) ? [] : observed.processesIn(path);
    const staying = pids.filter((pid) => !leaving.has(pid));
    if (staying.length > 0)
      problems.push({
        reason: "PruneHeld",
        cgroup: path,
        file: path,
        line: 0,
        column: 0,
        pointer: "",
        message: `the cgroup is not declared, and holds processes that Holdfast did not start: ${staying.slice(0, 5).join(", ")}${staying.length > 5 ? ", …" : ""}`,
        hint: "move them away or end them; it is removed when it is empty",
      });
    if (busy.has(path)) continue;
    if (pids.length > 0 || observed.childrenOf(path).some((name) => !removed.has(childPath(path, name)))) {
      kept.add(path);
      continue;
    }
    removed.add(path);
    for (const hierarchy of undeclared.get(path) ?? []) removals.push({ type: "remove", owner: undefined, path, hierarchy });
  }
  return { removals, kept };
}
