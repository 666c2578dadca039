/** Knows one machine and one set of manifests at a time, and brings them together: load, plan, converge. */
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { Event, ObjectView } from "../api/status.ts";
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Host } from "../host/host.ts";
import type { Attention } from "../host/observe.ts";
import type { Edit, Manifests } from "../manifest/link.ts";
import { type Action, BOOKKEEPING } from "../plan/action.ts";
import { amendDesired } from "../plan/amend.ts";
import { type Applied, appliedObjects } from "../plan/applied.ts";
import { NO_PLAN, type Plan } from "../plan/decision.ts";
import { desire, mentions } from "../plan/desire.ts";
import type { Desired } from "../plan/desired.ts";
import type { Findings as ProbeFindings } from "../plan/health.ts";
import { withoutHeld } from "../plan/hold.ts";
import { plan } from "../plan/plan.ts";
import { isGoneProcess, isMissingFile, lookAgain } from "./again.ts";
import type { Hints } from "./agenda.ts";
import { apply, type Convergence, type Outcome } from "./apply.ts";
import { Asked } from "./asked.ts";
import { Notice } from "./driftBook.ts";
import type { EngineOptions } from "./engineOptions.ts";
import { factsFor, sameFacts } from "./facts.ts";
import { glance } from "./glance.ts";
import { related } from "./related.ts";
import { type Findings, type Remembered, report } from "./report.ts";
import { Restraints } from "./restraints.ts";
import { Seen } from "./seen.ts";
import { standing } from "./standing.ts";
import { Standings } from "./standings.ts";
import { loadState, saveState } from "./state.ts";
import { KEPT_EVENTS, Teller } from "./teller.ts";
import { withAllBelow } from "./undeclared.ts";
import { viewsOf } from "./view.ts";

/** Rounds of one convergence: a start may follow a release, which follows a record. More than this is a fight, left to the next event. */
const MOST_ROUNDS = 8;
/** Objects of which the status is worked out without a pause, to be written down. */
const SAVED_AT_ONCE = 25;

export class Engine {
  readonly host: Host;
  machine: Machine;
  desired: Desired;
  /** What probes have found, by replica; kept by whoever runs them. */
  findings: ReadonlyMap<string, ProbeFindings> = new Map();
  private readonly asked: Asked;
  private remembered: Map<ObjectKey, Remembered>;
  readonly seen = new Seen();
  /** Cgroups that are not desired any more in a hierarchy where they were: they may have limits there. */
  private readonly everywhere = new Set<CgroupPath>();
  private lastPlan: Plan = NO_PLAN;
  readonly teller: Teller;
  private readonly restraints: Restraints;
  private readonly standings: Standings;
  readonly notice = new Notice();
  private readonly hears: Pick<EngineOptions, "progress" | "audit" | "noted">;
  private approve: EngineOptions["approve"];

  constructor({ host, state = loadState(host.options.runDirectory), emit = () => {}, approve, ...hears }: EngineOptions) {
    this.host = host;
    this.hears = hears;
    this.approve = approve;
    this.machine = host.machine(mentions([]));
    this.desired = { cgroups: new Map(), replicas: new Map(), members: [], resources: new Map(), problems: [], held: true };
    this.remembered = new Map(state.objects);
    const drift = [...this.remembered].flatMap(([key, { status }]) => (status.drift ? [[key, status.drift] as const] : []));
    this.teller = new Teller({ events: state.events, drift, emit, troubles: () => ({ records: host.records.trouble(), ledger: host.ledger.trouble() }) });
    this.restraints = new Restraints(host, state.reverted ?? [], (event) => this.tell(event));
    this.standings = new Standings(state.applied);
    this.asked = new Asked(host.options.runDirectory, (event) => this.tell(event));
  }

  get applied(): Applied {
    return this.standings.applied;
  }

  /** Tells what is no outcome of a plan. */
  tell(event: Omit<Event, "eventTime">): void {
    this.teller.add({ eventTime: new Date().toISOString(), ...event });
  }

  /** Takes manifests into force: looks up what they mention, works out what is desired. */
  load(manifests: Manifests, machine = factsFor(this.host, manifests, this.machine)): void {
    this.machine = machine;
    const before = this.desired;
    this.desired = desire(manifests, this.machine);
    for (const [path, { hierarchies }] of before.cgroups)
      if ([...hierarchies].some((id) => this.desired.cgroups.get(path)?.hierarchies.has(id) === false)) this.everywhere.add(path);
    this.standings.goal = appliedObjects(this.desired.resources.keys(), this.desired.cgroups.values());
  }

  /** Takes an edit of some objects into force the short way; what it concerns, or undefined when it is not that simple. */
  amend(manifests: Manifests, edits: readonly Edit[]): Attention["touched"] {
    const amended = amendDesired(this.desired, manifests, edits, this.machine);
    if (!amended) return undefined;
    this.desired = amended.desired;
    const keys = edits.map(({ after }) => after.key);
    for (const [key, object] of appliedObjects(keys, amended.cgroups)) this.standings.goal.set(key, object);
    return amended.touched;
  }

  /** Looks up again what manifests mention (env files, disks, accounts); true when something changed. */
  refreshFacts(manifests: Manifests): boolean {
    const machine = factsFor(this.host, manifests, this.machine);
    if (sameFacts(this.machine, machine)) return false;
    this.load(manifests, machine);
    return true;
  }

  /** Looks up again what people asked for; the replicas that it concerns. */
  refreshRequests(): CgroupPath[] {
    return this.asked.refresh(this.desired);
  }

  /** What is worth a look, at a glance: a few cgroups at a time, for there may be something to do in between. `turn` counts the glances. */
  *glance(turn: number): Generator<CgroupPath[]> {
    this.notice.look(Date.now());
    for (const _ of this.restraints.kills.look(this.host, this.machine, this.desired, this.lastPlan, turn)) yield [];
    yield* glance(this.host, this.machine, this.desired, this.lastPlan, this.standings.failures.keys(), turn);
  }

  /** Looks and decides; touches nothing. */
  plan(scope?: ReadonlySet<CgroupPath>, touched?: Attention["touched"]): Plan {
    // A cgroup is looked at where it is desired; what else may be there under its name, a full look finds.
    const where = scope && new Map([...scope].map((path) => [path, this.everywhere.has(path) ? undefined : this.desired.cgroups.get(path)?.hierarchies]));
    const observed = this.host.observe(this.machine, where, { cgroups: this.desired.cgroups, touched });
    const { applied, findings } = this;
    const desired = this.restraints.bakes.patch(this.desired);
    const { restartAfter, holds } = this.asked;
    const rest = { ...this.restraints.inputs, restartAfter, holds, findings, now: Date.now() };
    return plan({ desired, observed, applied, scope, ...rest });
  }

  /** Looks, decides and acts until nothing is left to do but wait, or until it shall not `goOn`. */
  async converge(scope?: ReadonlySet<CgroupPath>, goOn = (): boolean => true, { touched, times }: Hints = {}): Promise<Convergence> {
    this.notice.events = times;
    const [all, refused]: [Outcome[], Action[]] = [[], []];
    const wakes = new Map<CgroupPath, number>();
    for (let [round, asked] = [1, scope]; ; round++) {
      const looked = asked && withAllBelow(this.host, this.machine, this.desired, asked);
      const decided = this.plan(looked, round === 1 ? touched : undefined);
      this.approve?.(decided);
      this.approve = undefined;
      const tried = decided.actions.length === 0 ? [] : await apply(decided.actions, (action) => this.host.perform(action), this.hears.progress, goOn);
      const outcomes = tried.filter((outcome) => !isGoneProcess(outcome));
      all.push(...outcomes);
      this.note(decided, outcomes, looked);
      for (const path of looked ?? this.everywhere) this.everywhere.delete(path);
      const again = lookAgain(outcomes);
      for (const path of related(outcomes, this.desired)) again.add(path);
      for (const path of looked ?? decided.wakes.keys()) wakes.delete(path);
      for (const [path, time] of decided.wakes) wakes.set(path, time);
      refused.push(...outcomes.filter((outcome) => (outcome.error || outcome.skipped) && !isMissingFile(outcome)).map(({ action }) => action));
      if (round === MOST_ROUNDS) for (const path of again) wakes.set(path, 0);
      if (again.size === 0 || round === MOST_ROUNDS || !goOn()) return { outcomes: all, plan: { ...this.lastPlan, actions: refused, wakes } };
      asked = again;
    }
  }

  /** Remembers what happened, and tells. */
  private note(decided: Plan, outcomes: readonly Outcome[], scope: ReadonlySet<CgroupPath> | undefined): void {
    const resourceOf = ({ owner }: Action): Resource | undefined => (owner ? this.desired.resources.get(owner) : undefined);
    this.lastPlan = { ...(scope ? standing(this.lastPlan, decided, scope, this.desired) : decided), actions: [] };
    this.seen.note(decided, this.desired);
    this.hears.audit?.(outcomes, resourceOf);
    this.asked.tellHolds(Date.now());
    this.teller.tell(this.restraints.contention.without(withoutHeld(decided, this.asked.holds)), outcomes, resourceOf, this.notice);
    this.restraints.note(decided, outcomes, scope);
    this.standings.settle(decided, outcomes, scope, this.desired);
    this.hears.noted?.(decided, outcomes, scope);
  }

  /** Called at a resync: what is no problem any more may be told again later. */
  forgetTold(): void {
    this.teller.forget(this.lastPlan, this.standings.refused);
  }

  /** The spec with which an object was last in force; undefined when it is new. */
  specBefore(key: ObjectKey): unknown {
    const spec = this.remembered.get(key)?.spec;
    return spec === undefined ? undefined : JSON.parse(spec || "null");
  }

  /** The status of every object, as of the last look. */
  status(remaining: readonly Action[] = []): ReadonlyMap<ObjectKey, Remembered> {
    this.remembered = report(this.reportFindings(remaining), this.remembered);
    return this.remembered;
  }

  /** That of some objects alone, worked out anew. */
  statusOf(only: Iterable<ObjectKey>): ReadonlyMap<ObjectKey, Remembered> {
    const found = report({ ...this.reportFindings([]), only }, this.remembered);
    for (const [key, remembered] of found) this.remembered.set(key, remembered);
    return found;
  }

  private reportFindings(remaining: readonly Action[]): Findings {
    return {
      desired: this.desired,
      problems: this.lastPlan.problems,
      remaining,
      reported: this.lastPlan.reported,
      failures: this.standings.refused,
      states: this.seen.states,
      memberships: this.seen.memberships,
      records: (replica) => this.host.records.read(replica),
      restartAfter: this.asked.restartAfter,
      holds: this.asked.holds,
      contended: this.restraints.contention.known,
      drift: this.teller.drift.objects,
      now: new Date().toISOString(),
    };
  }

  /** The objects as people look at them, from a fresh look at the machine. */
  views(): ObjectView[] {
    const inForce = this.remembered;
    const decided = this.plan();
    this.lastPlan = decided;
    this.seen.note(decided, this.desired);
    const status = this.status(decided.actions.filter(({ type }) => !BOOKKEEPING.has(type)));
    return viewsOf(this.desired, status, inForce);
  }

  /** Writes the status file, replacing it as a whole; a few objects at a time, for there may be something to do in between. */
  async save(): Promise<void> {
    this.host.records.restore();
    const events = this.teller.events.slice(-KEPT_EVENTS);
    await saveState(this.host.options.runDirectory, { applied: this.applied, objects: this.toSave(), events, reverted: this.restraints.bakes.all });
  }

  private *toSave(): Generator<[ObjectKey, Remembered]> {
    const keys = [...this.desired.resources.keys()];
    while (keys.length > 0) yield* this.statusOf(keys.splice(0, SAVED_AT_ONCE));
    for (const key of this.remembered.keys()) if (!this.desired.resources.has(key)) this.remembered.delete(key);
  }
}
