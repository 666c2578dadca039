/** Knows how objects become desired cgroups: paths, the hierarchies they need, and the settings of this machine's files. */
import type { LimitName } from "../api/limits.ts";
import type { Problem } from "../api/problem.ts";
import { type LimitGroupResource, MEMBERS, type ObjectKey, type Resource } from "../api/resource.ts";
import { deviceHierarchy, endsSafely, UNIFIED } from "../cgroup/hierarchy.ts";
import { FREEZER } from "../cgroup/knobs.ts";
import { type Machine, type Mentions, placeOf } from "../cgroup/machine.ts";
import { type CgroupPath, childPath, parentPath, ROOT, replicaName } from "../cgroup/path.ts";
import type { Manifests } from "../manifest/link.ts";
import { commandOf } from "./command.ts";
import { lackOf } from "./confine.ts";
import type { Desired, DesiredCgroup, DesiredReplica } from "./desired.ts";
import { type Draft, hierarchyIn, Inheritance, Shared } from "./draft.ts";
import { governedCgroups } from "./govern.ts";
import { accountsOf } from "./identity.ts";
import { accountsOfRule, unknownAccounts } from "./match.ts";
import { problemOf } from "./problemOf.ts";
import { type Spelled, spellLimits } from "./spell.ts";

/** What must be looked up on the machine before desire() can be asked. */
export function mentions(resources: Iterable<Resource>): Mentions {
  const devices = new Set<string>();
  const envFiles = new Set<string>();
  const accounts = new Set<string>();
  const governed = new Set<string>();
  const seccompProfiles = new Set<string>();
  let confined = false;
  for (const resource of resources) {
    for (const device of Object.keys(resource.limits["io.max"] ?? {})) devices.add(device);
    if (resource.kind !== "Workload") {
      if (resource.governs) governed.add(resource.governs.paths);
      for (const account of resource.members.flatMap(accountsOfRule)) accounts.add(account);
      continue;
    }
    for (const { file } of resource.run.envFrom) envFiles.add(file);
    const { confinement } = resource.run;
    for (const account of confinement?.image ? [] : accountsOf(resource.run.identity)) accounts.add(account);
    confined ||= confinement !== undefined;
    if (confinement?.seccomp.type === "Localhost") seccompProfiles.add(confinement.seccomp.file);
  }
  return { governed, devices, envFiles, accounts, seccompProfiles: confined ? seccompProfiles : undefined };
}

function blocked(resource: Resource, cgroup: CgroupPath, message: string): Problem {
  return problemOf(resource, "StartBlocked", "/spec", message, { cgroup });
}

/** Controllers that a workload's cgroup has even without limits: to count, to tell an OOM kill, to contain. */
const BASELINE: readonly LimitName[] = ["memory.max", "pids.max", "cpu.max"];

const NO_SAFE_END = "no mounted hierarchy can freeze processes: they could not be ended without the danger of meeting others";

export function desire(manifests: Manifests, machine: Machine): Desired {
  const problems: Problem[] = [...manifests.problems];
  const drafts = new Map<CgroupPath, Draft>();
  const replicas = new Map<string, DesiredReplica>();
  const { core } = machine.controllers;
  const devices = deviceHierarchy(machine.controllers);
  const rootDraft: Draft = { path: ROOT, owner: undefined, frozen: false, own: new Set(), needs: new Set([`${core.id}:`]), settings: new Map() };
  drafts.set(ROOT, rootDraft);
  const baseline = BASELINE.flatMap((name) => {
    const place = placeOf(name, machine);
    return "hierarchy" in place ? [`${place.hierarchy.id}:${place.controller}`] : [];
  });

  const shared = new Shared();
  const spellings = new Map<ObjectKey, Spelled>();
  const spellingsOf = (resource: Resource): Spelled => {
    const known = spellings.get(resource.key) ?? spellLimits(resource, machine);
    if (!spellings.has(resource.key)) problems.push(...known.problems);
    spellings.set(resource.key, known);
    return known;
  };
  const draft = (resource: Resource, path: CgroupPath, parent: Draft, declaredFrozen: boolean): Draft => {
    const made: Draft = { path, owner: resource, frozen: declaredFrozen || parent.frozen, own: new Set(), needs: new Set(), settings: new Map() };
    const spelled = spellingsOf(resource);
    for (const need of spelled.needs) made.own.add(need);
    for (const setting of spelled.settings) shared.set(made, setting);
    if (declaredFrozen) {
      const { file, frozen } = FREEZER[core.version];
      shared.set(made, { file, key: "", value: frozen });
      made.own.add(`${core.id}:`);
    }
    drafts.set(path, made);
    return made;
  };
  const [leaves, governing]: [LimitGroupResource[], LimitGroupResource[]] = [[], []];
  const groupDraft = (name: string | undefined): Draft => {
    if (name === undefined) return rootDraft;
    const group = manifests.resources.get(`LimitGroup/${name}`) as Extract<Resource, { kind: "LimitGroup" }>;
    const parent = groupDraft(group.parent);
    const path = childPath(parent.path, name);
    return drafts.get(path) ?? draft(group, path, parent, group.frozen);
  };

  for (const resource of manifests.resources.values()) {
    if (resource.kind === "LimitGroup" && resource.governs) {
      governing.push(resource);
      continue;
    }
    if (resource.kind === "LimitGroup") {
      const group = groupDraft(resource.name);
      if (group.own.size === 0) group.own.add(`${core.id}:`);
      if (resource.members.length > 0) leaves.push(resource);
      continue;
    }
    const parent = groupDraft(resource.parent);
    const lack = lackOf(resource, machine);
    if (lack) problems.push(lack);
    for (let ordinal = 0; ordinal < resource.run.replicas; ordinal++) {
      const id = replicaName(resource.name, ordinal);
      const path = childPath(parent.path, id);
      const { own } = draft(resource, path, parent, false);
      for (const need of [`${core.id}:`, ...baseline]) own.add(need);
      // A process must be below every group that limits it, in that limit's hierarchy.
      for (let above = path; above !== ROOT; ) {
        above = parentPath(above);
        for (const need of drafts.get(above)?.own ?? []) own.add(need);
      }
      if (resource.run.confinement && devices) own.add(`${devices.id}:`);
      const command = commandOf(resource, ordinal, path, machine);
      const obstacle = command.obstacle ?? (endsSafely(machine.controllers) ? undefined : NO_SAFE_END);
      replicas.set(id, { id, path, resource, ordinal, ...command, obstacle });
      if (obstacle !== undefined && !lack && ordinal === 0) problems.push(blocked(resource, path, obstacle));
    }
  }

  const members: (readonly [CgroupPath, LimitGroupResource])[] = [];
  for (const group of leaves.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    problems.push(...unknownAccounts(group, machine));
    if (machine.noMembers !== undefined) problems.push(problemOf(group, "MemberRefused", "/spec/members", machine.noMembers));
    else members.push([leafDraft(group, groupDraft(group.name), drafts, core.id), group]);
  }

  for (const { path, own } of drafts.values()) {
    for (let here = path; ; here = parentPath(here)) {
      const needs = drafts.get(here)?.needs;
      for (const need of own) needs?.add(need);
      if (here === ROOT) break;
    }
  }
  const enable = new Map<CgroupPath, Set<string>>();
  for (const { path, needs } of drafts.values()) {
    if (path === ROOT) continue;
    for (const need of needs) {
      if (hierarchyIn(need) !== UNIFIED || need.endsWith(":")) continue;
      const above = parentPath(path);
      enable.set(above, (enable.get(above) ?? new Set()).add(need.slice(UNIFIED.length + 1)));
    }
  }
  const cgroups = new Map<CgroupPath, DesiredCgroup>();
  const inheritance = new Inheritance(machine);
  for (const path of [...drafts.keys()].sort((a, b) => a.length - b.length)) {
    const made = drafts.get(path);
    if (!made) continue;
    inheritance.apply(made, shared);
    const { owner, frozen, settings, needs } = made;
    cgroups.set(path, { path, owner, frozen, settings, hierarchies: shared.ids([...needs].map(hierarchyIn)), enable: enable.get(path) ?? NOTHING });
  }
  const governed = governedCgroups(governing, machine);
  problems.push(...governed.problems);
  for (const cgroup of governed.cgroups) cgroups.set(cgroup.path, cgroup);
  const withPlaces = members.map(([path, group]) => ({ path, group, hierarchies: [...(cgroups.get(path)?.hierarchies ?? [])] }));
  return { cgroups, replicas, members: withPlaces, resources: manifests.resources, problems, held: manifests.held };
}

/** Where a group's members are: below every group that limits them, and in no other hierarchy. It has no limits of its own. */
function leafDraft(group: LimitGroupResource, { path: above, frozen }: Draft, drafts: Map<CgroupPath, Draft>, core: string): CgroupPath {
  const path = childPath(above, MEMBERS);
  const own = new Set<string>();
  for (let here = path; here !== ROOT; ) {
    here = parentPath(here);
    for (const need of drafts.get(here)?.own ?? []) own.add(`${hierarchyIn(need)}:`);
  }
  if (own.size === 0) own.add(`${core}:`);
  drafts.set(path, { path, owner: group, frozen, own, needs: new Set(), settings: new Map() });
  return path;
}

const NOTHING: ReadonlySet<string> = new Set();
