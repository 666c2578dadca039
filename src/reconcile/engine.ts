/** Knows one machine and one set of manifests at a time, and brings them together: load, plan, converge. */
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { DriftStatus, Event, ObjectView } from "../api/status.ts";
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Host } from "../host/host.ts";
import type { Attention } from "../host/observe.ts";
import type { Edit, Manifests } from "../manifest/link.ts";
import { type Action, BOOKKEEPING } from "../plan/action.ts";
import { amendDesired } from "../plan/amend.ts";
import { type AppliedObject, appliedNow, appliedObjects } from "../plan/applied.ts";
import { desire, mentions } from "../plan/desire.ts";
import type { Desired } from "../plan/desired.ts";
import { type Plan, plan } from "../plan/plan.ts";
import type { ReplicaState } from "../plan/replica.ts";
import { same } from "../plan/same.ts";
import { isMissingFile, lookAgain } from "./again.ts";
import { apply, type Outcome } from "./apply.ts";
import { eventOf, eventsOf, problemEvent, problemKey, recordTroubleEvent, reportedEvent } from "./events.ts";
import { glance } from "./glance.ts";
import { byObject, type Remembered, report } from "./report.ts";
import { standing } from "./standing.ts";
import { loadState, type State, saveState } from "./state.ts";
import { Told } from "./told.ts";
import { viewsOf } from "./view.ts";

/** Rounds of one convergence: a start may follow a release, which follows a record. More than this is a fight, left to the next event. */
const MOST_ROUNDS = 8;
/** Events that tell of drift that was repaired. */
const DRIFT_REASONS = new Set(["DriftRepaired", "Recreated"]);
/** The trouble of a run directory that cannot be written is told once, whichever file it is. */
const NOT_WRITTEN = "RecordNotWritten";
/** Events that are kept for `describe`. */
const KEPT_EVENTS = 500;

export interface EngineOptions {
  readonly host: Host;
  /** What an earlier controller left; read from the run directory unless it was read already. */
  readonly state?: State;
  readonly emit?: (event: Event) => void;
  readonly progress?: (outcome: Outcome) => void;
}

export interface Convergence {
  readonly outcomes: readonly Outcome[];
  /** What is left: its actions were refused, its problems stand, its time is the earliest of all rounds. */
  readonly plan: Plan;
}

export class Engine {
  readonly host: Host;
  machine: Machine;
  desired: Desired;
  applied: Map<ObjectKey, AppliedObject>;
  /** What is applied of each object once it is converged. */
  private goal = new Map<ObjectKey, AppliedObject>();
  events: Event[];
  /** Number of events so far: when it grows, there is something to save. */
  news = 0;
  private remembered: Map<ObjectKey, Remembered>;
  private readonly states = new Map<string, ReplicaState>();
  private readonly drift = new Map<ObjectKey, DriftStatus>();
  private readonly failures = new Map<string, readonly Outcome[]>();
  private readonly told = new Told();
  /** Cgroups that are not desired any more in a hierarchy where they were: they may have limits there. */
  private readonly everywhere = new Set<CgroupPath>();
  private lastPlan: Plan = { actions: [], reported: [], problems: [], states: new Map(), wakeAt: undefined };
  private readonly emit: (event: Event) => void;
  private readonly progress: ((outcome: Outcome) => void) | undefined;

  constructor({ host, state = loadState(host.options.runDirectory), emit = () => {}, progress }: EngineOptions) {
    this.host = host;
    this.progress = progress;
    this.machine = host.machine({ devices: new Set(), envFiles: new Set() });
    this.desired = { cgroups: new Map(), replicas: new Map(), resources: new Map(), problems: [], held: true };
    this.applied = new Map(state.applied);
    this.remembered = new Map(state.objects);
    this.events = [...state.events];
    for (const [key, { status }] of this.remembered) if (status.drift) this.drift.set(key, status.drift);
    this.emit = (event) => {
      this.news++;
      this.events.push(event);
      if (this.events.length > 2 * KEPT_EVENTS) this.events = this.events.slice(-KEPT_EVENTS);
      emit(event);
    };
  }

  /** Takes manifests into force: looks up what they mention, works out what is desired. */
  load(manifests: Manifests): void {
    this.machine = this.host.machine(mentions(manifests.resources.values()));
    const before = this.desired;
    this.desired = desire(manifests, this.machine);
    for (const [path, { hierarchies }] of before.cgroups)
      if ([...hierarchies].some((id) => this.desired.cgroups.get(path)?.hierarchies.has(id) === false)) this.everywhere.add(path);
    this.goal = appliedObjects(this.desired.resources.keys(), this.desired.cgroups.values());
  }

  /** Takes an edit of some objects into force the short way; what it concerns, or undefined when it is not that simple. */
  amend(manifests: Manifests, edits: readonly Edit[]): Attention["touched"] {
    const amended = amendDesired(this.desired, manifests, edits, this.machine);
    if (!amended) return undefined;
    this.desired = amended.desired;
    const keys = edits.map(({ after }) => after.key);
    for (const [key, object] of appliedObjects(keys, amended.cgroups)) this.goal.set(key, object);
    return amended.touched;
  }

  /** Looks up again what manifests mention (env files, disks); true when something changed. */
  refreshFacts(manifests: Manifests): boolean {
    const { devices, envFiles } = this.machine;
    const next = this.host.machine(mentions(manifests.resources.values()));
    if (same([...next.devices], [...devices]) && same([...next.envFiles], [...envFiles])) return false;
    this.load(manifests);
    return true;
  }

  /** What is worth a look, at a glance; `turn` counts the glances. */
  glance(turn: number): Set<CgroupPath> {
    return glance(this.host, this.machine, this.desired, this.lastPlan, this.failures.keys(), turn);
  }

  /** Looks and decides; touches nothing. */
  plan(scope?: ReadonlySet<CgroupPath>, touched?: Attention["touched"]): Plan {
    // A cgroup is looked at where it is desired; what else may be there under its name, a full look finds.
    const where = scope && new Map([...scope].map((path) => [path, this.everywhere.has(path) ? undefined : this.desired.cgroups.get(path)?.hierarchies]));
    const observed = this.host.observe(this.machine, where, { cgroups: this.desired.cgroups, touched });
    return plan({ desired: this.desired, observed, applied: this.applied, now: Date.now(), scope });
  }

  /** Looks, decides and acts until nothing is left to do but wait, or until it shall not `goOn`. `touched`: what an event told. */
  async converge(scope?: ReadonlySet<CgroupPath>, goOn = (): boolean => true, touched?: Attention["touched"]): Promise<Convergence> {
    const all: Outcome[] = [];
    const refused: Action[] = [];
    let wakeAt: number | undefined;
    for (let [round, looked] = [1, scope]; ; round++) {
      const decided = this.plan(looked, round === 1 ? touched : undefined);
      const outcomes = decided.actions.length === 0 ? [] : await apply(decided.actions, (action) => this.host.perform(action), this.progress, goOn);
      all.push(...outcomes);
      this.note(decided, outcomes, looked);
      for (const path of looked ?? this.everywhere) this.everywhere.delete(path);
      const again = lookAgain(outcomes);
      if (decided.wakeAt !== undefined) wakeAt = Math.min(wakeAt ?? decided.wakeAt, decided.wakeAt);
      refused.push(...outcomes.filter((outcome) => (outcome.error || outcome.skipped) && !isMissingFile(outcome)).map(({ action }) => action));
      if (again.size === 0 || round === MOST_ROUNDS || !goOn()) return { outcomes: all, plan: { ...this.lastPlan, actions: refused, wakeAt } };
      looked = again;
    }
  }

  /** Remembers what happened, and tells. */
  private note(decided: Plan, outcomes: readonly Outcome[], scope: ReadonlySet<CgroupPath> | undefined): void {
    const time = new Date().toISOString();
    const resourceOf = ({ owner }: Action): Resource | undefined => (owner ? this.desired.resources.get(owner) : undefined);
    this.lastPlan = { ...(scope ? standing(this.lastPlan, decided, scope, this.desired) : decided), actions: [] };
    for (const [id, state] of decided.states) this.states.set(id, state);
    for (const id of this.states.keys()) if (!this.desired.replicas.has(id)) this.states.delete(id);
    for (const { event, outcome } of eventsOf(outcomes, resourceOf, time)) {
      const { action, error } = outcome;
      if (!error || this.told.first(`${action.path} ${event.note}`)) this.emit(event);
      if (action.owner && !error && DRIFT_REASONS.has(event.reason)) this.countDrift(action.owner, event);
    }
    for (const action of decided.reported) {
      const event = reportedEvent(action, resourceOf(action), time);
      if (!this.told.first(`${action.path} ${event.note}`)) continue;
      this.emit(event);
      if (action.owner) this.countDrift(action.owner, event);
    }
    for (const problem of decided.problems) {
      const event = problemEvent(problem, time);
      if (this.told.first(problemKey(event))) this.emit(event);
    }
    const trouble = this.host.records.trouble();
    if (trouble !== undefined && this.told.first(NOT_WRITTEN)) this.emit(recordTroubleEvent(trouble, time));
    this.settle(decided, outcomes, scope);
  }

  private countDrift(key: ObjectKey, { eventTime, note }: Event): void {
    this.drift.set(key, { count: (this.drift.get(key)?.count ?? 0) + 1, lastSeen: eventTime, lastMessage: note });
  }

  /** Called at a resync: what is no problem any more may be told again later. */
  forgetTold(): void {
    const { problems, reported } = this.lastPlan;
    const failures = [...this.failures.values()].flat();
    this.told.keepOnly(
      new Set([
        ...problems.map((problem) => problemKey(problemEvent(problem, ""))),
        ...reported.map((action) => `${action.path} ${reportedEvent(action, undefined, "").note}`),
        ...(this.host.records.trouble() === undefined ? [] : [NOT_WRITTEN]),
        ...failures.map((outcome) => `${outcome.action.path} ${eventOf(outcome, () => undefined, "")?.note}`),
      ]),
    );
  }

  /** A cgroup whose limits all stand is converged: from now on a difference is drift. */
  private settle(decided: Plan, outcomes: readonly Outcome[], scope: ReadonlySet<CgroupPath> | undefined): void {
    const failed = byObject(
      outcomes.filter(({ error, skipped }) => error || skipped),
      ({ action }) => action.path,
    );
    const blocked = new Set(decided.problems.flatMap(({ reason, cgroup }) => (reason === "Blocked" && cgroup !== undefined ? [cgroup] : [])));
    for (const path of scope ?? new Set([...this.failures.keys(), ...failed.keys()])) {
      const refused = failed.get(path)?.filter(({ error }) => error);
      if (refused?.length) this.failures.set(path, refused);
      else this.failures.delete(path);
    }
    const stands = (path: string): boolean => (scope as ReadonlySet<string> | undefined)?.has(path) !== false && !failed.has(path) && !blocked.has(path);
    const owners = scope ? [...scope].flatMap((path) => this.desired.cgroups.get(path)?.owner?.key ?? []) : this.desired.resources.keys();
    for (const key of new Set(owners)) this.applied.set(key, appliedNow(this.applied.get(key), this.goal.get(key) ?? {}, stands));
    if (this.desired.held || scope) return;
    for (const key of this.applied.keys()) if (!this.desired.resources.has(key)) this.applied.delete(key);
  }

  /** The status of every object, as of the last look. */
  status(remaining: readonly Action[] = []): ReadonlyMap<ObjectKey, Remembered> {
    this.remembered = report(
      {
        desired: this.desired,
        problems: this.lastPlan.problems,
        remaining,
        reported: this.lastPlan.reported,
        failures: [...this.failures.values()].flat(),
        states: this.states,
        records: (replica) => this.host.records.read(replica),
        drift: this.drift,
        now: new Date().toISOString(),
      },
      this.remembered,
    );
    return this.remembered;
  }

  /** The objects as people look at them, from a fresh look at the machine. */
  views(): ObjectView[] {
    const inForce = this.remembered;
    const decided = this.plan();
    this.lastPlan = decided;
    for (const [id, state] of decided.states) this.states.set(id, state);
    const status = this.status(decided.actions.filter(({ type }) => !BOOKKEEPING.has(type)));
    return viewsOf(this.desired, status, inForce);
  }

  /** Writes the status file, replacing it as a whole. */
  save(): void {
    this.host.records.restore();
    saveState(this.host.options.runDirectory, { applied: [...this.applied], objects: [...this.status()], events: this.events.slice(-KEPT_EVENTS) });
  }
}
