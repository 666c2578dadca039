/** Knows how a plan and its outcomes become the status of each object. */
import type { Problem } from "../api/problem.ts";
import type { LimitGroupResource, ObjectKey, Resource, WorkloadResource } from "../api/resource.ts";
import { pointerParts } from "../api/schemas.ts";
import { type Condition, type ContainerState, condition, type DriftStatus, type ObjectStatus, type ReplicaStatus } from "../api/status.ts";
import { replicaName } from "../cgroup/path.ts";
import type { Action } from "../plan/action.ts";
import { describe } from "../plan/describe.ts";
import type { Desired } from "../plan/desired.ts";
import type { ReplicaRecord } from "../plan/observed.ts";
import type { ReplicaState } from "../plan/replica.ts";
import type { Outcome } from "./apply.ts";

/** What is remembered of an object between reports; all of it can be lost without harm. */
export interface Remembered {
  /** The spec as JSON: another text is another generation. */
  readonly spec: string;
  readonly generation: number;
  /** Where its document began. */
  readonly file: string;
  readonly line: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly status: ObjectStatus;
}

export interface Findings {
  readonly desired: Desired;
  readonly problems: readonly Problem[];
  /** What is still to do, or was told and not touched. */
  readonly remaining: readonly Action[];
  readonly reported: readonly Action[];
  readonly failures: readonly Outcome[];
  readonly states: ReadonlyMap<string, ReplicaState>;
  readonly records: (replica: string) => ReplicaRecord | undefined;
  readonly drift: ReadonlyMap<ObjectKey, DriftStatus>;
  readonly now: string;
}

/** Path of an object's cgroup below the root: `best-effort/batch`; for a workload that of its replicas' parent. */
function cgroupOf(desired: Pick<Desired, "resources">, resource: Resource): string {
  const names: string[] = [resource.name];
  for (let parent = resource.parent; parent !== undefined; ) {
    names.unshift(parent);
    parent = (desired.resources.get(`LimitGroup/${parent}`) as LimitGroupResource | undefined)?.parent;
  }
  return names.join("/");
}

/** Findings sorted by the object that they concern, once for all objects. */
export function byObject<T>(all: readonly T[], keyOf: (one: T) => string | undefined): ReadonlyMap<string, readonly T[]> {
  const sorted = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    if (key === undefined) continue;
    const list = sorted.get(key);
    if (list) list.push(one);
    else sorted.set(key, [one]);
  }
  return sorted;
}

/** A spec never changes: its text is worked out once. */
const specs = new WeakMap<Resource, string>();

/** The status of every object. */
export function report(findings: Findings, previous: ReadonlyMap<ObjectKey, Remembered>): Map<ObjectKey, Remembered> {
  const problems = byObject(findings.problems, ({ object }) => object);
  const remaining = byObject(findings.remaining, ({ owner }) => owner);
  const reported = byObject(findings.reported, ({ owner }) => owner);
  const failures = byObject(findings.failures, ({ action }) => action.owner);
  const next = new Map<ObjectKey, Remembered>();
  for (const resource of findings.desired.resources.values()) {
    const { key } = resource;
    const before = previous.get(key);
    const spec = specs.get(resource) ?? JSON.stringify(resource.spec) ?? "";
    specs.set(resource, spec);
    const generation = before ? before.generation + (before.spec === spec ? 0 : 1) : 1;
    const replicas = resource.kind === "Workload" ? replicaStatuses(findings, resource) : undefined;
    const state: ObjectFindings = {
      generation,
      problems: problems.get(key) ?? [],
      remaining: remaining.get(key) ?? [],
      reported: reported.get(key) ?? [],
      failures: failures.get(key) ?? [],
      replicas,
      now: findings.now,
    };
    const drift = findings.drift.get(key) ?? before?.status.drift;
    const status: ObjectStatus = {
      observedGeneration: generation,
      conditions: conditionsOf(resource, state, before?.status.conditions),
      cgroup: `${cgroupOf(findings.desired, resource)}${resource.kind === "Workload" ? "@*" : ""}`,
      ...(drift ? { drift } : {}),
      ...(replicas && resource.kind === "Workload"
        ? {
            replicas: resource.run.replicas,
            readyReplicas: replicas.filter(({ ready }) => ready).length,
            restartCount: replicas.reduce((sum, { restartCount }) => sum + restartCount, 0),
            replicaStatuses: replicas,
          }
        : {}),
    };
    const { origin, annotations } = resource;
    next.set(key, { spec, generation, file: origin.file, line: origin.line, ...(Object.keys(annotations).length > 0 ? { annotations } : {}), status });
  }
  return next;
}

/** `memory.high: ` where a problem is about a limit. */
const fieldOf = ({ pointer }: Problem): string => (pointer.startsWith("/spec/limits/") ? `${pointerParts(pointer)[2]}: ` : "");

interface ObjectFindings {
  readonly generation: number;
  readonly problems: readonly Problem[];
  readonly remaining: readonly Action[];
  readonly reported: readonly Action[];
  readonly failures: readonly Outcome[];
  readonly replicas: readonly ReplicaStatus[] | undefined;
  readonly now: string;
}

/** Reasons of the controller's that a mere look cannot find out. */
const LASTING = new Set(["WriteRefused", "StartFailed"]);

function conditionsOf(resource: Resource, found: ObjectFindings, previous: readonly Condition[] | undefined): Condition[] {
  const { generation: observedGeneration, now, problems, failures, remaining, reported } = found;
  const make = (type: Condition["type"], status: Condition["status"], reason: string, message: string): Condition =>
    condition(previous, { type, status, reason, message, observedGeneration }, now);
  const [problem] = problems;
  const [failure] = failures;
  const conditions: Condition[] = [];
  const more = (count: number): string => (count > 1 ? ` (and ${count - 1} more)` : "");
  const refusedBefore = previous?.find(
    ({ type, status, reason, observedGeneration: of }) => type === "Ready" && status === "False" && LASTING.has(reason) && of === observedGeneration,
  );
  if (failure?.error)
    conditions.push(
      make(
        "Ready",
        "False",
        failure.action.type === "start" ? "StartFailed" : "WriteRefused",
        `${failure.error.message}${failure.error.hint ? ` (${failure.error.hint})` : ""}${more(failures.length)}`,
      ),
    );
  else if (problem)
    conditions.push(
      make("Ready", "False", problem.reason, `${fieldOf(problem)}${problem.message}${problem.hint ? ` (${problem.hint})` : ""}${more(problems.length)}`),
    );
  else if (reported.length > 0)
    conditions.push(
      make("Ready", "False", "Drifted", `the machine differs and drift is only reported: ${describe(reported[0] as Action)}${more(reported.length)}`),
    );
  // What the controller was refused is still to do: its reason says more than that.
  else if (remaining.length > 0 && refusedBefore) conditions.push(refusedBefore);
  else if (remaining.length > 0) conditions.push(make("Ready", "False", "Progressing", `to do: ${describe(remaining[0] as Action)}${more(remaining.length)}`));
  else if (resource.kind === "Workload") conditions.push(workloadReady(resource, found.replicas ?? [], make));
  else
    conditions.push(
      make(
        "Ready",
        "True",
        resource.frozen ? "Frozen" : "Converged",
        resource.frozen ? "every process below is suspended" : "the kernel says what the manifest says",
      ),
    );
  if (remaining.length > 0) conditions.push(make("Reconciling", "True", "Progressing", `${remaining.length} to do`));
  if (failure || problem) conditions.push(make("Stalled", "True", conditions[0]?.reason ?? "Problem", "see the condition Ready"));
  if (reported.length > 0) conditions.push(make("Drifted", "True", "DriftReported", reported.map(describe).join("; ")));
  return conditions;
}

function workloadReady(
  { run }: WorkloadResource,
  replicas: readonly ReplicaStatus[],
  make: (type: "Ready", status: "True" | "False", reason: string, message: string) => Condition,
): Condition {
  const running = replicas.filter(({ ready }) => ready).length;
  if (running === run.replicas) return make("Ready", "True", "Running", run.replicas === 1 ? "running" : `${running} of ${run.replicas} running`);
  const other = replicas.find(({ ready }) => !ready)?.state;
  if (other?.terminated?.reason === "Completed") return make("Ready", "False", "Completed", "ran to completion");
  const reason = other?.waiting?.reason ?? other?.terminated?.reason ?? "NotRunning";
  const detail = other?.waiting?.message ?? other?.terminated?.message ?? other?.terminated?.signal ?? "";
  return make("Ready", "False", reason, `${running} of ${run.replicas} running${detail ? `: ${detail}` : ""}`);
}

/** Without the fields that only Holdfast needs. */
function shownTerminated({
  exitCode,
  signal,
  reason,
  message,
  startedAt,
  finishedAt,
}: NonNullable<ReplicaRecord["last"]>): NonNullable<ContainerState["terminated"]> {
  return { exitCode, signal, reason, ...(message ? { message } : {}), startedAt, finishedAt };
}

function replicaStatuses({ states, records, desired }: Findings, resource: WorkloadResource): ReplicaStatus[] {
  return Array.from({ length: resource.run.replicas }, (_, ordinal) => {
    const name = replicaName(resource.name, ordinal);
    const record = records(name);
    const known = states.get(name) ?? { waiting: { reason: "Unknown", message: "not looked at yet" } };
    const state: ContainerState = "terminated" in known ? { terminated: shownTerminated(known.terminated) } : known;
    const last = record?.last;
    return {
      name,
      cgroup: desired.replicas.get(name)?.path ?? "",
      ready: state.running !== undefined,
      restartCount: record?.restarts ?? 0,
      state,
      ...(last && !state.terminated ? { lastState: { terminated: shownTerminated(last) } } : {}),
    };
  });
}
