/** Knows what a change of each field of a spec comes to: a restart, a write into a running cgroup, or only another decision later. */
import type { Resource } from "../api/resource.ts";
import { FIELDS } from "./confine.ts";
import { same } from "./same.ts";

export interface FieldChange {
  /** `spec.command`, `spec.limits.memory.max`. */
  readonly field: string;
  readonly effect: "restarts" | "written in place" | "in force from the next decision on" | "scales" | "holds from the next run on";
}

/** What a process is started with; a change of it is a new revision. */
const STARTED_WITH: ReadonlySet<string> = new Set([
  "command",
  "args",
  "initCommands",
  "env",
  "envFrom",
  "workingDir",
  "user",
  "group",
  "supplementaryGroups",
  "umask",
  "nice",
  "ioPriority",
  "schedulingPolicy",
  "cpuAffinity",
  "oomScoreAdj",
  "rlimits",
  "limitGroupRef",
  ...FIELDS,
]);
type Spec = Readonly<Record<string, unknown>>;
const asSpec = (value: unknown): Spec => (typeof value === "object" && value !== null ? (value as Spec) : {});

/** The fields that differ between a spec as it was in force and as it is written now. */
export function fieldChanges(before: unknown, resource: Resource): FieldChange[] {
  const [old, now] = [asSpec(before), asSpec(resource.spec)];
  return different(old, now).flatMap((field): FieldChange[] => {
    if (field !== "limits") return [{ field: `spec.${field}`, effect: effectOf(field, old, now, resource) }];
    return different(asSpec(old["limits"]), asSpec(now["limits"])).map((name) => ({ field: `spec.limits.${name}`, effect: "written in place" }));
  });
}

const different = (old: Spec, now: Spec): string[] =>
  [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((name) => !same(old[name], now[name])).sort();

function effectOf(field: string, old: Spec, now: Spec, resource: Resource): FieldChange["effect"] {
  if (field === "parentRef") return "restarts";
  if (field === "frozen") return "written in place";
  if (field === "replicas") return "scales";
  const place = (spec: Spec): unknown => (typeof spec["logs"] === "string" ? spec["logs"] : asSpec(spec["logs"])["directory"]);
  const starts = STARTED_WITH.has(field) || (field === "logs" && !same(place(old), place(now)));
  if (!starts) return "in force from the next decision on";
  return resource.kind === "Workload" && resource.run.job.schedule && field !== "limitGroupRef" ? "holds from the next run on" : "restarts";
}
