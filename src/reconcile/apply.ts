/** Knows how to carry out a plan: in order, each refusal collected, nothing done that depends on what was refused. */
import { setTimeout as pause } from "node:timers/promises";
import type { Refusal } from "../host/perform.ts";
import type { Action, ActionOf } from "../plan/action.ts";
import type { Plan } from "../plan/decision.ts";

export interface Outcome {
  readonly action: Action;
  /** Undefined: done. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  /** Not tried, because something that it depends on was refused, or because the controller ends. */
  readonly skipped?: boolean;
}

export interface Convergence {
  readonly outcomes: readonly Outcome[];
  /** What is left: its actions were refused, its problems stand, its time is the earliest of all rounds. */
  readonly plan: Plan;
}

/** How many workloads start at the same time: enough to hide each one's few milliseconds of waiting. */
const STARTS_AT_ONCE = 8;

/** What was moved may wait for the very CPU that this program is on, ms: it goes on first, and then what was done is told. */
const COURTESY = 1;

/** Carries the actions out. `progress` hears of each one as it is done; what is left when it shall not `goOn` is skipped. */
export async function apply(
  actions: readonly Action[],
  perform: (action: Action) => Promise<void> | void,
  progress: (outcome: Outcome) => void = () => {},
  goOn: () => boolean = () => true,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const missing = new Set<string>();
  const unlimited = new Set<string>();
  const unfinished = new Set<string>();
  const done = (outcome: Outcome): void => {
    outcomes.push(outcome);
    progress(outcome);
  };
  const refused = (action: Action, error: unknown): void => {
    const { message, code = "", hint } = error as Refusal;
    if (action.type === "create") missing.add(`${action.hierarchy}:${action.path}`);
    // A file that this kernel lacks is told and missed; what the kernel refused holds up every start below.
    if (action.type === "enable" || (action.type === "write" && code !== "ENOENT")) unlimited.add(action.path);
    // What ran before must be gone for certain before the same workload runs again.
    else if ("replica" in action && typeof action.replica === "string") unfinished.add(action.replica);
    done({ action, error: { code, message, ...(hint ? { hint } : {}) } });
  };
  /** Most actions are done when perform() returns: no promise for those. */
  const attempt = (action: Action): Promise<void> | void => {
    if (dependsOnRefused(action, missing, unlimited) || (action.type === "start" && unfinished.has(action.replica.id))) return done({ action, skipped: true });
    try {
      const pending = perform(action);
      const finish = (): void => done({ action });
      return pending instanceof Promise ? pending.then(finish, (error) => refused(action, error)) : finish();
    } catch (error) {
      refused(action, error);
    }
  };
  /** A holder takes a moment to go. Its child has ended for certain: what comes next need not wait for that. */
  const going: Promise<void>[] = [];
  for (let index = 0; index < actions.length; ) {
    if (!goOn()) {
      for (const action of actions.slice(index)) done({ action, skipped: true });
      break;
    }
    const starts = startsFrom(actions, index);
    if (starts.length === 0) {
      const action = actions[index++] as Action;
      const pending = attempt(action);
      if (pending instanceof Promise && action.type === "release") going.push(pending);
      else if (pending instanceof Promise) await pending;
    } else {
      await Promise.all(starts.map(attempt));
      index += starts.length;
    }
  }
  await Promise.all(going);
  if (outcomes.some(({ action, error, skipped }) => action.type === "join" && !error && !skipped)) await pause(COURTESY);
  return outcomes;
}

/** A run of starts at this place of the plan. */
function startsFrom(actions: readonly Action[], index: number): ActionOf<"start">[] {
  const starts: ActionOf<"start">[] = [];
  for (let at = index; at < actions.length && starts.length < STARTS_AT_ONCE; at++) {
    const action = actions[at];
    if (action?.type !== "start") break;
    starts.push(action);
  }
  return starts;
}

/** In a cgroup that could not be made nothing can be done; and no workload starts where a limit of it, or above it, was refused. */
function dependsOnRefused(action: Action, missing: ReadonlySet<string>, unlimited: ReadonlySet<string>): boolean {
  const above = (path: string, refused: (path: string) => boolean): boolean => {
    for (let here = path; ; here = here.slice(0, Math.max(here.lastIndexOf("/"), 0))) {
      if (refused(here)) return true;
      if (here === "") return false;
    }
  };
  if (action.type === "start") return above(action.path, (path) => unlimited.has(path) || [...missing].some((key) => key.endsWith(`:${path}`)));
  if (action.type === "join") return missing.size > 0 && action.hierarchies.some((id) => above(action.path, (path) => missing.has(`${id}:${path}`)));
  return missing.size > 0 && "hierarchy" in action && above(action.path, (path) => missing.has(`${action.hierarchy}:${path}`));
}
