/** Knows `holdfast audit`: has the machine moved away from what was applied? Opens nothing for writing. */
import { resolve } from "node:path";
import { problemLine } from "../api/problem.ts";
import type { ObjectKey } from "../api/resource.ts";
import type { Action } from "../plan/action.ts";
import { describe, subject } from "../plan/describe.ts";
import { recordOf } from "../reconcile/driftBook.ts";
import { isUnmanaged, type Owned, ownership } from "../reconcile/ownership.ts";
import { type Finding, junit, sarif } from "./auditReports.ts";
import { type GlobalOptions, openEngine, UsageError } from "./context.ts";
import { actionJson, sourceIn, withoutAdoption } from "./diff.ts";
import { actionList, note, out, plural, problemText, table } from "./print.ts";

export interface AuditOptions extends GlobalOptions {
  readonly output: "text" | "json" | "junit" | "sarif" | "html";
  /** Workloads and members that are more exposed are findings. */
  readonly maxExposure?: string;
}

/** `version`: of this program. */
export async function audit(options: AuditOptions, version: string): Promise<number> {
  const most = options.maxExposure === undefined ? 10 : Number(options.maxExposure);
  if (!(most >= 0 && most <= 10)) throw new UsageError(`--max-exposure: expected a number from 0 to 10, found ${options.maxExposure}`, 2);
  const { engine, set, directory } = openEngine(options);
  const plan = withoutAdoption(engine.plan());
  const source = sourceIn(engine);
  const drifted = [...plan.actions.filter(isDrift), ...plan.reported];
  const pending = plan.actions.filter((action) => !isDrift(action));
  const owners = ownership(engine);
  const own = owners.filter(({ kind }) => kind === "holdfast").flatMap(({ processes }) => processes);
  const exposed = own.filter(({ exposure }) => exposure.most > most);
  if (options.output === "html") {
    const line = (action: Action) => ({
      object: subject(action),
      what: describe(action),
      source: source(action),
      record: recordOf(engine.teller.drift.objects, action),
    });
    const about = { host: engine.host.name, time: new Date().toISOString(), version, root: engine.host.tree.root, directory: resolve(directory) };
    const { problems } = plan;
    out(
      (await import("./auditHtml.ts")).auditPage({
        ...about,
        objects: engine.desired.resources.size,
        drift: drifted.map(line),
        pending: pending.map(line),
        problems,
        owners,
      }),
    );
  } else if (options.output === "junit" || options.output === "sarif") {
    const found = (rule: Finding["rule"], actions: readonly Action[]): Finding[] => actions.map((action) => findingOf(rule, action, source(action)));
    const problems = plan.problems.map((problem): Finding => {
      const { object, file, line } = problem;
      return { rule: "problem", object: object as ObjectKey | undefined, message: problemLine(problem), file, line: line > 0 ? line : undefined };
    });
    const exposures = exposed.map(({ pid, comm, cgroup, exposure }): Finding => {
      const worst = exposure.failed.slice(0, 5).map(({ title }) => title);
      return {
        rule: "exposure",
        object: undefined,
        message: `process ${pid} (${comm}) in ${cgroup}: exposure ${exposure.most.toFixed(1)}: ${worst.join("; ")}`,
        file: undefined,
        line: undefined,
      };
    });
    const findings = [...found("drift", drifted), ...found("pending", pending), ...problems, ...exposures];
    out(options.output === "junit" ? junit(engine.desired.resources.keys(), findings) : sarif(findings, version));
  } else if (options.output === "json") {
    const list = (actions: readonly Action[]): unknown[] => actions.map((action) => actionJson(action, source(action)));
    const drift = drifted.map((action) => ({ ...actionJson(action, source(action)), record: recordOf(engine.teller.drift.objects, action) }));
    out(JSON.stringify({ clean: drifted.length === 0, drift, pending: list(pending), problems: plan.problems, owners: owners.map(ownedJson) }, null, 2));
  } else {
    if (drifted.length > 0) out(actionList(drifted, source));
    for (const problem of plan.problems) note(problemText(problem));
    const wait = pending.length > 0 ? `; ${plural(pending.length, "difference")} not applied yet (see holdfast diff)` : "";
    if (own.length > 0) {
      const rows = own.map(({ pid, comm, cgroup, exposure: { least, most: worst, level, failed } }) => {
        const score = least === worst ? worst.toFixed(1) : `${least.toFixed(1)}-${worst.toFixed(1)}`;
        return [
          String(pid),
          comm,
          cgroup.slice(engine.host.tree.root.length + 2),
          score,
          level,
          failed
            .slice(0, 3)
            .map(({ id }) => id)
            .join(", "),
        ];
      });
      out(await table(["PID", "NAME", "CGROUP", "EXPOSURE", "LEVEL", "WORST"], rows));
    }
    const others = owners.filter(isUnmanaged);
    const unmanaged = others.reduce((sum, { processes }) => sum + processes.length, 0);
    note(`${plural(unmanaged, "process is", "processes are")} unmanaged, of ${plural(others.length, "owner")} (-o json and -o html list them)`);
    for (const { pid, exposure } of exposed) note(`process ${pid}: exposure ${exposure.most.toFixed(1)} is more than ${most}`);
    note(
      `${drifted.length === 0 ? "no drift" : `${plural(drifted.length, "drifted value", "drifted values")}`} in ${plural(engine.desired.resources.size, "object")}${wait}`,
    );
  }
  if (set.manifests.problems.length > 0) return 2;
  return drifted.length === 0 && exposed.length === 0 ? 0 : 1;
}

/** Checks by their ids: the list of what they mean is in the documentation. */
const ownedJson = ({ processes, ...owned }: Owned): object => ({
  ...owned,
  processes: processes.map(({ exposure: { failed, unknown, ...exposure }, ...one }) => ({
    ...one,
    exposure: { ...exposure, failed: failed.map(({ id }) => id), unknown: unknown.map(({ id }) => id) },
  })),
});

function findingOf(rule: Finding["rule"], action: Action, source: string | undefined): Finding {
  const [, file, line] = /^(.*):(\d+)$/.exec(source ?? "") ?? [];
  return { rule, object: action.owner, message: describe(action), file, line: line === undefined ? undefined : Number(line) };
}

/** The machine moved; a manifest that changed is no drift, nor is the ordinary life of a workload. */
function isDrift(action: Action): boolean {
  return "cause" in action ? action.cause === "drift" : action.type === "place" || action.type === "hold" || action.type === "remove";
}
