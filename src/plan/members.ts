/**
 * Knows which processes of the host belong into which group, and what must move: those that a rule fits and those that come from them; and back what no rule holds any more.
 * Never pid 1, the kernel's or Holdfast's own; and nothing out of a cgroup that somebody looks after, unless the rule names that.
 */
import type { Problem } from "../api/problem.ts";
import type { LimitGroupResource, ObjectKey } from "../api/resource.ts";
import type { Owner } from "../cgroup/owner.ts";
import { type CgroupPath, isMembersPath } from "../cgroup/path.ts";
import type { Action } from "./action.ts";
import { isNewIn } from "./applied.ts";
import { Census } from "./census.ts";
import type { Inputs, InScope } from "./decision.ts";
import { isLeftAlone, seatOf } from "./hold.ts";
import type { MemberRecord, ObservedProcess } from "./hostProcess.ts";
import { problemOf } from "./problemOf.ts";

/** What a look has found of a group's members. */
export interface Membership {
  readonly expected: readonly ObservedProcess[];
  /** A rule fits them, and they are not there. */
  readonly missing: readonly ObservedProcess[];
  /** They are there, and nothing says why. */
  readonly unexpected: readonly ObservedProcess[];
  /** A rule would fit them, if they were not somebody else's. */
  readonly refused: readonly { readonly candidate: ObservedProcess; readonly owner: Owner }[];
}

export interface MemberPlan {
  readonly actions: readonly Action[];
  readonly reported: readonly Action[];
  /** By object; undefined where the look was not at members. */
  readonly memberships: ReadonlyMap<ObjectKey, Membership> | undefined;
  /** Pids that are about to leave where they are. */
  readonly leaving: ReadonlySet<number>;
}

const NOTHING: MemberPlan = { actions: [], reported: [], memberships: undefined, leaving: new Set() };

export function membership(inputs: Inputs, inScope: InScope, problems: Problem[]): MemberPlan {
  const { desired, observed, scope } = inputs;
  const recorded = observed.memberships();
  if ((desired.members.length === 0 && recorded.size === 0) || (scope && ![...scope].some(isMembersPath))) return NOTHING;
  const census = new Census(inputs, recorded);
  const [actions, reported, leaving]: [Action[], Action[], Set<number>] = [[], [], new Set()];
  const found = new Map<
    CgroupPath,
    { expected: ObservedProcess[]; missing: ObservedProcess[]; unexpected: ObservedProcess[]; refused: Membership["refused"][number][] }
  >();
  const at = (path: CgroupPath) => {
    const known = found.get(path) ?? { expected: [], missing: [], unexpected: [], refused: [] };
    found.set(path, known);
    return known;
  };
  for (const candidate of census.processes()) {
    const target = census.targetOf(candidate);
    const record = census.recordOf(candidate);
    if (!target) {
      for (const { path, owner } of census.refusalOf(candidate)) at(path).refused.push({ candidate, owner });
      const path = census.placeOf(candidate);
      if (path === undefined) continue;
      const left = record ?? census.ancestralRecord(candidate);
      if (left && Object.keys(left.from).length > 0 && !desired.held) {
        leaving.add(candidate.pid);
        const owner = desired.members.find((members) => members.path === path)?.group.key;
        const { pid, start, comm, cgroups } = candidate;
        const hierarchies = [...cgroups].flatMap(([id, place]) => (place === census.inTree(path) ? [id] : []));
        if (inScope(path)) actions.push({ type: "leave", owner, path, hierarchies, comm, record: { ...left, pid, start }, cause: "pending" });
      } else at(path).unexpected.push(candidate);
      continue;
    }
    const { rule, from } = target;
    const { path, group, hierarchies } = rule.members;
    const fresh: MemberRecord = { pid: candidate.pid, start: candidate.start, path, rule: rule.text, from: from ?? {} };
    const astray = hierarchies.filter((id) => candidate.cgroups.get(id) !== census.inTree(path));
    if (astray.length === 0) {
      at(path).expected.push(candidate);
      if (inScope(path) && (record?.path !== path || record.rule !== rule.text)) actions.push({ type: "enroll", owner: group.key, path, record: fresh });
      continue;
    }
    at(path).missing.push(candidate);
    if (!inScope(path)) continue;
    // Where the group has come to another hierarchy they have left nothing.
    const cause = record?.path === path && !astray.every((id) => isNewIn(inputs.applied, group, path, id)) ? "drift" : "pending";
    const seen = Object.fromEntries(astray.map((id) => [id, candidate.cgroups.get(id) ?? "/"]));
    const join: Action = { type: "join", owner: group.key, path, hierarchies: astray, comm: candidate.comm, seen, record: fresh, cause };
    const fought = (inputs.contended?.get(path)?.get(seatOf(candidate)) ?? 0) > inputs.now;
    const leftAlone = cause === "drift" && (fought || isLeftAlone(group, inputs));
    (leftAlone ? reported : actions).push(join);
    if (!leftAlone) leaving.add(candidate.pid);
  }
  const memberships = new Map<ObjectKey, Membership>();
  for (const { path, group } of desired.members) {
    memberships.set(group.key, at(path));
    if (at(path).refused.length > 0) problems.push(refusal(group, path, at(path).refused));
  }
  return { actions, reported, memberships, leaving };
}

/** Told of those who look after them: pids come and go. */
function refusal(group: LimitGroupResource, cgroup: CgroupPath, refused: Membership["refused"]): Problem {
  const owners = [...new Set(refused.map(({ owner }) => owner.words))].sort();
  return problemOf(
    group,
    "MemberRefused",
    "/spec/members",
    `processes that a rule fits are left to ${owners.slice(0, 5).join(", ")}${owners.length > 5 ? ", …" : ""}`,
    { cgroup, hint: "say cgroup: PATH in the rule if they are meant, or exclude them with not: {cgroup: PATH}" },
  );
}
