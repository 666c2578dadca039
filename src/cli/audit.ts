/** Knows `holdfast audit`: has the machine moved away from what was applied? Opens nothing for writing. */
import { problemLine } from "../api/problem.ts";
import type { ObjectKey } from "../api/resource.ts";
import type { Action } from "../plan/action.ts";
import { describe } from "../plan/describe.ts";
import { recordOf } from "../reconcile/driftBook.ts";
import { type Finding, junit, sarif } from "./auditReports.ts";
import { type GlobalOptions, openEngine } from "./context.ts";
import { actionJson, sourceIn, withoutAdoption } from "./diff.ts";
import { actionList, note, out, plural, problemText } from "./print.ts";

export interface AuditOptions extends GlobalOptions {
  readonly output: "text" | "json" | "junit" | "sarif";
}

/** `version`: of this program. */
export function audit(options: AuditOptions, version: string): number {
  const { engine, set } = openEngine(options);
  const plan = withoutAdoption(engine.plan());
  const source = sourceIn(engine);
  const drifted = [...plan.actions.filter(isDrift), ...plan.reported];
  const pending = plan.actions.filter((action) => !isDrift(action));
  if (options.output === "junit" || options.output === "sarif") {
    const found = (rule: Finding["rule"], actions: readonly Action[]): Finding[] => actions.map((action) => findingOf(rule, action, source(action)));
    const problems = plan.problems.map((problem): Finding => {
      const { object, file, line } = problem;
      return { rule: "problem", object: object as ObjectKey | undefined, message: problemLine(problem), file, line: line > 0 ? line : undefined };
    });
    const findings = [...found("drift", drifted), ...found("pending", pending), ...problems];
    out(options.output === "junit" ? junit(engine.desired.resources.keys(), findings) : sarif(findings, version));
  } else if (options.output === "json") {
    const list = (actions: readonly Action[]): unknown[] => actions.map((action) => actionJson(action, source(action)));
    const drift = drifted.map((action) => ({ ...actionJson(action, source(action)), record: recordOf(engine.teller.drift.objects, action) }));
    out(JSON.stringify({ clean: drifted.length === 0, drift, pending: list(pending), problems: plan.problems }, null, 2));
  } else {
    if (drifted.length > 0) out(actionList(drifted, source));
    for (const problem of plan.problems) note(problemText(problem));
    const wait = pending.length > 0 ? `; ${plural(pending.length, "difference")} not applied yet (see holdfast diff)` : "";
    note(
      `${drifted.length === 0 ? "no drift" : `${plural(drifted.length, "drifted value", "drifted values")}`} in ${plural(engine.desired.resources.size, "object")}${wait}`,
    );
  }
  if (set.manifests.problems.length > 0) return 2;
  return drifted.length === 0 ? 0 : 1;
}

function findingOf(rule: Finding["rule"], action: Action, source: string | undefined): Finding {
  const [, file, line] = /^(.*):(\d+)$/.exec(source ?? "") ?? [];
  return { rule, object: action.owner, message: describe(action), file, line: line === undefined ? undefined : Number(line) };
}

/** The machine moved; a manifest that changed is no drift, nor is the ordinary life of a workload. */
function isDrift(action: Action): boolean {
  return "cause" in action ? action.cause === "drift" : action.type === "place" || action.type === "hold" || action.type === "remove";
}
