/** Knows a plan as it is kept in a file, bound to what was observed: whether what would be done now is still that, and if not, what moved. */
import { createHash } from "node:crypto";
import { ROOT } from "../cgroup/path.ts";
import { accountOf } from "./account.ts";
import { type Action, BOOKKEEPING } from "./action.ts";
import { describe, subject } from "./describe.ts";
import { canonical } from "./same.ts";

/** One action of a saved plan. */
export interface SavedAction {
  /** What it acts on: the same for another value. */
  readonly place: string;
  /** Of the action with all values that it was decided by: what the kernel said, what the manifest says. */
  readonly digest: string;
  /** For people: `LimitGroup/batch: pids.max 9 → 64`. */
  readonly what: string;
}

export interface SavedPlan {
  readonly format: 1;
  readonly root: string;
  readonly directory: string;
  /** A plan is worth nothing after a boot. */
  readonly bootId: string;
  readonly time: string;
  readonly actions: readonly SavedAction[];
}

/** What an action is, as people see it, without what is new each time (an attempt's name). */
function saved(action: Action): SavedAction {
  const { result: _, ...fields } = accountOf(action, undefined, undefined) ?? {};
  const { hierarchy = "", file = "", key = "", replica = "" } = fields as Record<string, unknown>;
  return {
    place: [action.type, action.path, hierarchy, file, key, replica].join(" "),
    digest: createHash("sha256").update(canonical(fields)).digest("hex"),
    what: `${subject(action)}: ${describe(action)}`,
  };
}

/** What only Holdfast remembers is no part of it; nor is the empty root, which whoever acts needs for its lock. */
export const savedActions = (actions: readonly Action[]): SavedAction[] =>
  actions.filter(({ type, path }) => !BOOKKEEPING.has(type) && !(type === "create" && path === ROOT)).map(saved);

/** What is not as it was when the plan was made, in words; empty when all is. */
export function movedSince({ actions: before }: Pick<SavedPlan, "actions">, now: readonly Action[]): string[] {
  const planned = new Map(before.map((action) => [action.place, action]));
  const fresh = new Map(savedActions(now).map((action) => [action.place, action]));
  const changed = [...planned.values()].flatMap(({ place, digest, what }) => {
    const current = fresh.get(place);
    if (!current) return [`${what}: nothing of that kind is to do any more`];
    return current.digest === digest ? [] : [`${what}: now it would be ${current.what.slice(current.what.indexOf(": ") + 2)}`];
  });
  const more = [...fresh.values()].filter(({ place }) => !planned.has(place)).map(({ what }) => `${what}: was not to do then`);
  return [...changed, ...more];
}
