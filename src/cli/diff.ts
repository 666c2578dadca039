/** Knows `holdfast diff`: all that apply would do, and why. */
import { resolve } from "node:path";
import type { ObjectKey } from "../api/resource.ts";
import { replaceFile } from "../host/records.ts";
import type { Action } from "../plan/action.ts";
import type { Plan } from "../plan/decision.ts";
import { describe } from "../plan/describe.ts";
import { type FieldChange, fieldChanges } from "../plan/fieldChanges.ts";
import { type SavedPlan, savedActions } from "../plan/saved.ts";
import { sourceOf } from "../plan/source.ts";
import type { Engine } from "../reconcile/engine.ts";
import type { ManifestSet } from "../reconcile/manifests.ts";
import { type GlobalOptions, openEngine, UsageError } from "./context.ts";
import { actionList, note, out, plural, problemText } from "./print.ts";

/** `manifests/a.yaml:7`: the manifest line behind an action. */
export function sourceIn(engine: Engine): (action: Action) => string | undefined {
  return (action) => {
    const resource = action.owner && engine.desired.resources.get(action.owner);
    return resource && sourceOf(action, resource);
  };
}

/** An action as JSON: what it is, in words and in fields. */
export function actionJson(action: Action, source: string | undefined): object {
  const { owner, type, path } = action;
  const more =
    action.type === "write"
      ? { field: action.knob, file: action.file, key: action.key || undefined, from: action.from, to: action.to, cause: action.cause }
      : "cause" in action
        ? { cause: action.cause }
        : {};
  return { type, object: owner, cgroup: path, ...more, description: describe(action), source };
}

/** What only Holdfast's own memory lacks is no difference between what is declared and what is. */
const MEMORY: ReadonlySet<Action["type"]> = new Set<Action["type"]>(["adopt", "health", "note", "enroll", "ledger"]);

export const withoutAdoption = (plan: Plan): Plan => ({ ...plan, actions: plan.actions.filter(({ type }) => !MEMORY.has(type)) });

/** Per field, what an edit that is not in force yet comes to. */
function changesIn(engine: Engine): (FieldChange & { readonly object: ObjectKey })[] {
  return [...engine.desired.resources.values()].flatMap((resource) => {
    const before = engine.specBefore(resource.key);
    return before === undefined ? [] : fieldChanges(before, resource).map((change) => ({ object: resource.key, ...change }));
  });
}

/** 0 no differences, 1 differences, 2 when the manifests themselves are broken: then the differences are not the whole story. */
const exitOf = (plan: Plan, set: ManifestSet): number => (set.manifests.problems.length > 0 ? 2 : plan.actions.length > 0 || plan.reported.length > 0 ? 1 : 0);

/** Writes a plan for `apply PLAN`, as a whole or not at all. */
function save(file: string, plan: Plan, { host, machine }: Engine, directory: string): void {
  const saved: SavedPlan = {
    format: 1,
    root: host.tree.root,
    directory: resolve(directory),
    bootId: machine.bootId,
    time: new Date().toISOString(),
    actions: savedActions(plan.actions),
  };
  try {
    replaceFile(resolve(file), `${JSON.stringify(saved, null, 2)}\n`);
  } catch (error) {
    throw new UsageError(`--out: ${(error as Error).message}`, 2);
  }
  note(`saved to ${file}; holdfast apply ${file} does this, and nothing else`);
}

export function diff(options: GlobalOptions & { output: "text" | "json"; out?: string }): number {
  const { engine, set, directory } = openEngine(options);
  const plan = withoutAdoption(engine.plan());
  if (options.out !== undefined && set.manifests.problems.length > 0)
    throw new UsageError("--out: manifests are broken (holdfast validate tells more): nothing is saved", 2);
  if (options.out !== undefined) save(options.out, plan, engine, directory);
  const source = sourceIn(engine);
  if (options.output === "json") {
    const list = (actions: readonly Action[]): unknown[] => actions.map((action) => actionJson(action, source(action)));
    out(JSON.stringify({ actions: list(plan.actions), reported: list(plan.reported), fields: changesIn(engine), problems: plan.problems }, null, 2));
    return exitOf(plan, set);
  }
  if (plan.actions.length > 0) out(actionList(plan.actions, source));
  const edited = changesIn(engine);
  if (edited.length > 0)
    out(`Fields that changed since they were last in force:\n${edited.map(({ object, field, effect }) => `  ${object} ${field}: ${effect}`).join("\n")}`);
  if (plan.reported.length > 0) out(`Drift that is left alone (drift: Report, or held):\n${actionList(plan.reported, source)}`);
  for (const problem of plan.problems) note(problemText(problem));
  const objects = new Set([...plan.actions, ...plan.reported].map(({ owner, path }) => owner ?? path)).size;
  const count = plan.actions.length + plan.reported.length;
  note(count === 0 ? "no differences" : `${plural(count, "difference")} in ${plural(objects, "object")}`);
  return exitOf(plan, set);
}
