/** Knows which rule of all groups draws a process in: the first that fits, unless somebody else looks after the process and the rule does not name that. */
import type { Member } from "../api/schema.ts";
import type { Machine } from "../cgroup/machine.ts";
import { type Owner, ownerOf } from "../cgroup/owner.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { DesiredMembers } from "./desired.ts";
import type { CgroupsOfProcess, ObservedProcess } from "./hostProcess.ts";
import { fits, namesPlace, type Question } from "./match.ts";
import { canonical } from "./same.ts";

/** A rule, and whose it is. */
export interface Rule {
  readonly members: DesiredMembers;
  readonly rule: Member;
  readonly text: string;
}

/** The group that would have a candidate, and who has it. */
export interface Refused {
  readonly path: CgroupPath;
  readonly owner: Owner;
}

/** All rules, and those that can fit a process of a name. */
export interface Rules {
  readonly all: readonly Rule[];
  readonly byComm: Map<string, readonly Rule[]>;
  /** What was answered before of a process and where it comes from; undefined where the answer may be another one the next time. */
  readonly answers: WeakMap<ObservedProcess, Answer & Asking> | undefined;
}

interface Answer {
  readonly found: Rule | undefined;
  readonly refusals: readonly Refused[];
}

/** What an answer depends on, besides the process and the rules. */
interface Asking {
  readonly from: CgroupsOfProcess;
  readonly machine: Pick<Machine, "systemd">;
}

const ruleLists = new WeakMap<readonly DesiredMembers[], Rules>();

/** All rules in the order in which they are asked; worked out once. */
export function rulesOf(desired: readonly DesiredMembers[]): Rules {
  const known = ruleLists.get(desired) ?? {
    all: desired.flatMap((members) => members.group.members.map((rule) => ({ members, rule, text: canonical(rule) }))),
    byComm: new Map(),
    answers: desired.some(({ group }) => group.members.some(asksFile)) ? undefined : new WeakMap(),
  };
  ruleLists.set(desired, known);
  return known;
}

/** A pid file says something else whenever it is written. */
const asksFile = ({ pidFile, not, any }: Member): boolean => pidFile !== undefined || (not !== undefined && asksFile(not)) || (any?.some(asksFile) ?? false);

/** So many names are remembered; a process may call itself anything. */
const MOST_NAMES = 10_000;

function rulesFor({ all, byComm }: Rules, comm: string): readonly Rule[] {
  const known = byComm.get(comm) ?? all.filter(({ rule }) => rule.comm === undefined || rule.comm === comm);
  if (byComm.size >= MOST_NAMES) byComm.clear();
  byComm.set(comm, known);
  return known;
}

/** The first rule that fits, and may: it names the cgroup, or nobody looks after that. */
export function firstRule(
  rules: Rules,
  candidate: ObservedProcess,
  from: CgroupsOfProcess,
  asked: Question & { readonly machine: Pick<Machine, "systemd"> },
): Answer {
  const { machine } = asked;
  const known = rules.answers?.get(candidate);
  if (known?.from === from && known.machine === machine) return known;
  const refusals: Refused[] = [];
  const places = Object.values(from);
  const found = rulesFor(rules, candidate.comm).find(({ members, rule }) => {
    if (!fits(rule, candidate, places, asked)) return false;
    const owner = whoKeeps(candidate, { members, rule }, from, machine);
    if (owner) refusals.push({ path: members.path, owner });
    return owner === undefined;
  });
  const answer = { found, refusals, from, machine };
  rules.answers?.set(candidate, answer);
  return answer;
}

/** Who looks after the cgroup that a process comes from, or to whom it has gone since; undefined where that is nobody, or named by the rule. */
export function whoKeeps(
  { cgroups }: Pick<ObservedProcess, "cgroups">,
  { members: { hierarchies }, rule }: Pick<Rule, "members" | "rule">,
  from: CgroupsOfProcess,
  { systemd }: Pick<Machine, "systemd">,
): Owner | undefined {
  // In a hierarchy where it stays where it is, nothing is taken from anybody.
  const first = strictest(hierarchies.map((id) => ownerOf(from[id] ?? "/", systemd)));
  if (first && !namesPlace(rule, Object.values(from))) return first;
  // What a person has moved by hand is drift; a manager that has it now is its owner.
  const now = strictest(hierarchies.map((id) => ownerOf(cgroups.get(id) ?? "/", systemd)));
  return now && now.kind !== "unknown" && !namesPlace(rule, cgroups.values()) ? now : undefined;
}

/** Where a rule would have a candidate, at a first look at it alone. */
export const placeFor = (candidate: ObservedProcess, all: readonly DesiredMembers[], asked: Parameters<typeof firstRule>[3]): DesiredMembers | undefined =>
  firstRule(rulesOf(all), candidate, Object.fromEntries(candidate.cgroups), asked).found?.members;

/** Whoever is known looks after it more than whoever is not. */
const strictest = (owners: readonly (Owner | undefined)[]): Owner | undefined =>
  owners.find((owner) => owner && owner.kind !== "unknown") ?? owners.find((owner) => owner !== undefined);
