/** Knows what is worth telling of a pass: every change and failure once, what lasts not again before it was gone. */
import type { ObjectKey } from "../api/resource.ts";
import type { DriftStatus, Event } from "../api/status.ts";
import type { Plan } from "../plan/decision.ts";
import type { Outcome } from "./apply.ts";
import { DriftBook, type Notice } from "./driftBook.ts";
import { eventOf, eventsOf, problemEvent, problemKey, type ResourceOf, reportedEvent } from "./events.ts";
import { Told } from "./told.ts";

/** The trouble of a run directory that cannot be written is told once, whichever file it is. */
const NOT_WRITTEN = "RecordNotWritten";
/** Told once, for what is lost stays so. */
const DAMAGED = "LedgerDamaged";
/** Events that are kept for `describe`. */
export const KEPT_EVENTS = 500;

interface Options {
  readonly events: readonly Event[];
  readonly drift: Iterable<readonly [ObjectKey, DriftStatus]>;
  readonly emit: (event: Event) => void;
  /** Why records cannot be written, and what could not be read of the ledger. */
  readonly troubles: () => { readonly records: string | undefined; readonly ledger: string | undefined };
}

/** The run directory cannot be written. */
function recordTroubleEvent(trouble: string, eventTime: string): Event {
  return { eventTime, type: "Warning", reason: "RecordNotWritten", object: "Host", note: `${trouble}: how workloads end is known until this controller ends` };
}

export class Teller {
  events: Event[];
  /** Number of events so far: when it grows, there is something to save. */
  news = 0;
  readonly drift: DriftBook;
  private readonly told = new Told();
  private readonly options: Options;

  constructor(options: Options) {
    this.options = options;
    this.drift = new DriftBook(options.drift);
    this.events = [...options.events];
  }

  /** One event more. */
  add(event: Event): void {
    this.news++;
    this.events.push(event);
    if (this.events.length > 2 * KEPT_EVENTS) this.events = this.events.slice(-KEPT_EVENTS);
    this.options.emit(event);
  }

  /** What came of a plan. */
  tell(decided: Plan, outcomes: readonly Outcome[], resourceOf: ResourceOf, notice: Notice): void {
    const now = Date.now();
    const time = new Date(now).toISOString();
    for (const { event, outcome } of eventsOf(outcomes, resourceOf, time)) {
      const { action, error } = outcome;
      if (!error || this.told.first(`${action.path} ${event.note}`)) this.add(event);
      if (!error) this.drift.note(action, resourceOf(action), event.note, now, notice);
      if (!error && action.type === "write" && action.owner) this.drift.wrote(action.owner, time);
    }
    for (const action of decided.reported) {
      const event = reportedEvent(action, resourceOf(action), time);
      if (!this.told.first(`${action.path} ${event.note}`)) continue;
      this.add(event);
      this.drift.note(action, resourceOf(action), event.note, now, notice);
    }
    for (const problem of decided.problems) {
      const event = problemEvent(problem, time);
      if (this.told.first(problemKey(event))) this.add(event);
    }
    const { records, ledger } = this.options.troubles();
    if (records !== undefined && this.told.first(NOT_WRITTEN)) this.add(recordTroubleEvent(records, time));
    if (ledger !== undefined && this.told.first(DAMAGED)) this.add({ eventTime: time, type: "Warning", reason: DAMAGED, object: "Host", note: ledger });
  }

  /** What is no problem any more may be told again later. */
  forget({ problems, reported }: Plan, failures: readonly Outcome[]): void {
    this.told.keepOnly(
      new Set([
        ...problems.map((problem) => problemKey(problemEvent(problem, ""))),
        ...reported.map((action) => `${action.path} ${reportedEvent(action, undefined, "").note}`),
        ...(this.options.troubles().records === undefined ? [] : [NOT_WRITTEN]),
        DAMAGED,
        ...failures.map((outcome) => `${outcome.action.path} ${eventOf(outcome, () => undefined, "")?.note}`),
      ]),
    );
  }
}
