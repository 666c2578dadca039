/** Knows where each process of the host belongs and came from: by a rule, by what was written down of it, or by the process that it comes from. */
import { type CgroupPath, isMembersPath } from "../cgroup/path.ts";
import type { Inputs } from "./decision.ts";
import type { CgroupsOfProcess, MemberRecord, ObservedProcess } from "./hostProcess.ts";
import { firstRule, type Refused, type Rule, type Rules, rulesOf, whoKeeps } from "./memberRules.ts";

/** Where a process shall be. */
interface Target {
  readonly rule: Rule;
  /** Undefined: nobody knows where it came from. */
  readonly from: CgroupsOfProcess | undefined;
}

/** Where a process is, as seen from Holdfast's root: what does not change until it is read anew. */
interface Standing {
  readonly root: string;
  readonly place: CgroupPath | undefined;
  readonly elsewhere: boolean;
  readonly cgroups: CgroupsOfProcess;
}

const standings = new WeakMap<ObservedProcess, Standing>();

/** All that is asked about processes, each question answered once. */
export class Census {
  private readonly inputs: Inputs;
  private readonly recorded: ReadonlyMap<number, MemberRecord>;
  private readonly all: ReadonlyMap<number, ObservedProcess>;
  private readonly holdfast: ReadonlySet<number>;
  private readonly own = new Map<number, boolean>();
  private readonly targets = new Map<number, Target | undefined>();
  private readonly refusals = new Map<number, readonly Refused[]>();
  private readonly rules: Rules;

  constructor(inputs: Inputs, recorded: ReadonlyMap<number, MemberRecord>) {
    this.inputs = inputs;
    this.recorded = recorded;
    this.all = inputs.observed.processes();
    this.holdfast = inputs.observed.holdfast();
    this.rules = rulesOf(inputs.desired.members);
  }

  processes(): ObservedProcess[] {
    return [...this.all.values()].filter((candidate) => candidate.pid > 1 && !this.isHoldfasts(candidate) && !this.isElsewhereInTree(candidate));
  }

  /** `/holdfast/batch/members`. */
  inTree(path: string): string {
    return `/${this.inputs.observed.root}/${path}`;
  }

  /** The cgroup of members that a process is in, in any hierarchy. */
  placeOf(candidate: ObservedProcess): CgroupPath | undefined {
    return this.standingOf(candidate).place;
  }

  /** What Holdfast has started, its holders and itself. */
  private isElsewhereInTree(candidate: ObservedProcess): boolean {
    return this.standingOf(candidate).elsewhere;
  }

  /** On a host there are thousands of processes, and few of them change between two looks. */
  private standingOf(candidate: ObservedProcess): Standing {
    const { root } = this.inputs.observed;
    const known = standings.get(candidate);
    if (known?.root === root) return known;
    const top = this.inTree("");
    const below = [...candidate.cgroups.values()].flatMap((place) => (`${place}/`.startsWith(top) ? [place.slice(top.length)] : []));
    const place = below.find((path) => isMembersPath(path)) as CgroupPath | undefined;
    const standing = { root, place, elsewhere: below.some((path) => !isMembersPath(path)), cgroups: Object.fromEntries(candidate.cgroups) };
    standings.set(candidate, standing);
    return standing;
  }

  /** A controller, and what it has started for its own purposes. */
  private isHoldfasts({ pid, parent }: ObservedProcess): boolean {
    const known = this.own.get(pid);
    if (known !== undefined) return known;
    // Numbers are given again: what was read at different moments may go round in a circle.
    this.own.set(pid, false);
    const above = this.all.get(parent);
    const is = this.holdfast.has(pid) || (above !== undefined && this.isHoldfasts(above));
    this.own.set(pid, is);
    return is;
  }

  /** What was written down of this very candidate. */
  recordOf({ pid, start }: ObservedProcess): MemberRecord | undefined {
    const record = this.recorded.get(pid);
    return record?.start === start ? record : undefined;
  }

  private parentOf(candidate: ObservedProcess): ObservedProcess | undefined {
    const parent = this.all.get(candidate.parent);
    // A parent that is younger is another one of its number.
    return parent && parent.pid > 1 && parent.start <= candidate.start && !this.isHoldfasts(parent) && !this.isElsewhereInTree(parent) ? parent : undefined;
  }

  /** Of the nearest process above it of which anything was written down. */
  ancestralRecord(candidate: ObservedProcess): MemberRecord | undefined {
    const seen = new Set<number>();
    for (let above = this.parentOf(candidate); above && !seen.has(above.pid); above = this.parentOf(above)) {
      seen.add(above.pid);
      const record = this.recordOf(above);
      if (record) return record;
    }
    return undefined;
  }

  /** Where it came from. */
  private originOf(candidate: ObservedProcess): CgroupsOfProcess | undefined {
    const record = this.recordOf(candidate);
    if (record) return Object.keys(record.from).length > 0 ? record.from : undefined;
    const { place, cgroups } = this.standingOf(candidate);
    return place === undefined ? cgroups : this.ancestralRecord(candidate)?.from;
  }

  targetOf(candidate: ObservedProcess): Target | undefined {
    if (this.targets.has(candidate.pid)) return this.targets.get(candidate.pid);
    this.targets.set(candidate.pid, undefined);
    const target = this.matched(candidate) ?? this.kept(candidate) ?? this.followed(candidate);
    this.targets.set(candidate.pid, target);
    return target;
  }

  private matched(candidate: ObservedProcess): Target | undefined {
    const from = this.originOf(candidate);
    const { found, refusals } = firstRule(this.rules, candidate, from ?? {}, this.inputs.observed);
    if (refusals.length > 0) this.refusals.set(candidate.pid, refusals);
    return found && { rule: found, from };
  }

  /** It was drawn in by a rule that stands: what it has become since makes no difference. */
  private kept(candidate: ObservedProcess): Target | undefined {
    const record = this.recordOf(candidate);
    const rule = record && this.rules.all.find(({ members, text }) => members.path === record.path && text === record.rule);
    return rule && this.unlessKept(candidate, { rule, from: this.originOf(candidate) });
  }

  private unlessKept(candidate: ObservedProcess, target: Target): Target | undefined {
    const owner = whoKeeps(candidate, target.rule, target.from ?? {}, this.inputs.observed.machine);
    if (!owner) return target;
    const { path } = target.rule.members;
    const known = this.refusalOf(candidate);
    if (!known.some((refused) => refused.path === path)) this.refusals.set(candidate.pid, [...known, { path, owner }]);
    return undefined;
  }

  /** It comes from one that belongs there, and is where that is or was; and nobody else has it by now. */
  private followed(candidate: ObservedProcess): Target | undefined {
    const parent = this.parentOf(candidate);
    const target = parent && this.targetOf(parent);
    if (!target) return undefined;
    const from = this.originOf(candidate);
    const { path, hierarchies } = target.rule.members;
    const alike = this.placeOf(candidate) === path || hierarchies.every((id) => from?.[id] === target.from?.[id]);
    return alike ? this.unlessKept(candidate, { rule: target.rule, from: from ?? target.from }) : undefined;
  }

  refusalOf({ pid }: ObservedProcess): readonly Refused[] {
    return this.refusals.get(pid) ?? [];
  }
}
