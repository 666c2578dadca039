/** Knows how a plan and its outcomes become the status of each object. */
import type { Problem } from "../api/problem.ts";
import type { LimitGroupResource, ObjectKey, Resource } from "../api/resource.ts";
import { pointerParts } from "../api/schemas.ts";
import { type Condition, condition, type DriftStatus, type GovernedStatus, type MemberStatus, type MembersStatus, type ObjectStatus } from "../api/status.ts";
import type { Action } from "../plan/action.ts";
import { describe } from "../plan/describe.ts";
import type { Desired, DesiredCgroup } from "../plan/desired.ts";
import type { Hold, Holds } from "../plan/hold.ts";
import type { ObservedProcess } from "../plan/hostProcess.ts";
import type { Membership } from "../plan/members.ts";
import type { ReplicaRecord } from "../plan/observed.ts";
import type { ReplicaState } from "../plan/question.ts";
import type { Outcome } from "./apply.ts";
import { openFields, withOpen } from "./driftBook.ts";
import { type WorkloadStatus, workloadReady, workloadStatus } from "./workloadStatus.ts";

/** What is remembered of an object between reports; all of it can be lost without harm. */
export interface Remembered {
  /** The spec as JSON: another text is another generation. */
  readonly spec: string;
  readonly generation: number;
  /** When a controller saw it first, RFC 3339. */
  readonly created?: string;
  /** Where its document began. */
  readonly file: string;
  readonly line: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly status: ObjectStatus;
}

export interface Findings {
  readonly desired: Desired;
  /** Only of these objects; undefined: of all. */
  readonly only?: Iterable<ObjectKey> | undefined;
  readonly problems: readonly Problem[];
  /** What is still to do, or was told and not touched. */
  readonly remaining: readonly Action[];
  readonly reported: readonly Action[];
  readonly failures: readonly Outcome[];
  readonly states: ReadonlyMap<string, ReplicaState>;
  readonly memberships: ReadonlyMap<ObjectKey, Membership>;
  readonly records: (replica: string) => ReplicaRecord | undefined;
  /** Workloads that somebody asked to restart, and when. */
  readonly restartAfter: ReadonlyMap<string, number>;
  readonly holds: Holds;
  /** What is fought about, in words; undefined: that is not known here. */
  readonly contended: ReadonlyMap<ObjectKey, string> | undefined;
  readonly drift: ReadonlyMap<ObjectKey, DriftStatus>;
  readonly now: string;
}

/** Path of an object's cgroup below the root: `best-effort/batch`; for a workload that of its replicas' parent. */
function cgroupOf(desired: Pick<Desired, "resources">, resource: Resource): string {
  if (resource.kind === "LimitGroup" && resource.governs) return resource.governs.paths;
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
  const governed = byObject(
    [...findings.desired.cgroups.values()].filter((cgroup) => cgroup.governed),
    ({ owner }) => owner?.key,
  );
  const next = new Map<ObjectKey, Remembered>();
  const { resources } = findings.desired;
  for (const resource of findings.only ? [...findings.only].flatMap((key) => resources.get(key) ?? []) : resources.values()) {
    const { key } = resource;
    const before = previous.get(key);
    const spec = specs.get(resource) ?? JSON.stringify(resource.spec) ?? "";
    specs.set(resource, spec);
    const generation = before ? before.generation + (before.spec === spec ? 0 : 1) : 1;
    const workload = resource.kind === "Workload" ? workloadStatus(findings, resource) : undefined;
    const state: ObjectFindings = {
      generation,
      problems: problems.get(key) ?? [],
      remaining: remaining.get(key) ?? [],
      reported: reported.get(key) ?? [],
      hold: findings.holds.get(key),
      contended: findings.contended ? findings.contended.get(key) : contendedBefore(before),
      failures: failures.get(key) ?? [],
      workload,
      now: findings.now,
    };
    const drift = findings.drift.get(key) ?? before?.status.drift;
    const status: ObjectStatus = {
      observedGeneration: generation,
      conditions: conditionsOf(resource, state, before?.status.conditions),
      cgroup: `${cgroupOf(findings.desired, resource)}${resource.kind === "Workload" ? "@*" : ""}`,
      ...(drift ? { drift: withOpen(drift, openFields(state.reported)) } : {}),
      ...workload,
      ...membersOf(findings.memberships.get(key)),
      ...(resource.kind === "LimitGroup" && resource.governs ? { governed: governedOf(governed.get(key) ?? []) } : {}),
    };
    const { origin, annotations } = resource;
    next.set(key, {
      spec,
      generation,
      created: before?.created ?? findings.now,
      file: origin.file,
      line: origin.line,
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
      status,
    });
  }
  return next;
}

/** So many processes of each kind are listed. */
const MOST_LISTED = 50;

/** Nothing where a group has no rules. */
function membersOf(found: Membership | undefined): { readonly members?: MembersStatus } {
  if (!found) return {};
  const list = (processes: readonly ObservedProcess[]): MemberStatus[] => processes.slice(0, MOST_LISTED).map(({ pid, comm }) => ({ pid, command: comm }));
  const { expected, missing, unexpected, refused } = found;
  const counts = { expectedCount: expected.length, missingCount: missing.length, unexpectedCount: unexpected.length, refusedCount: refused.length };
  const left = refused.slice(0, MOST_LISTED).map(({ candidate, owner }) => ({ pid: candidate.pid, command: candidate.comm, owner: owner.words }));
  return { members: { ...counts, expected: list(expected), missing: list(missing), unexpected: list(unexpected), refused: left } };
}

const governedOf = (cgroups: readonly DesiredCgroup[]): GovernedStatus[] =>
  cgroups.slice(0, MOST_LISTED).map(({ path, governed }) => ({
    cgroup: path,
    owner: governed?.owner?.words ?? "nobody",
    route: governed?.untouchable ? "None" : governed?.unit === undefined ? "Kernel" : "Systemd",
  }));

/** `memory.high: ` where a problem is about a limit. */
const fieldOf = ({ pointer }: Problem): string => (pointer.startsWith("/spec/limits/") ? `${pointerParts(pointer)[2]}: ` : "");

interface ObjectFindings {
  readonly generation: number;
  readonly problems: readonly Problem[];
  readonly remaining: readonly Action[];
  readonly reported: readonly Action[];
  readonly hold: Hold | undefined;
  readonly contended: string | undefined;
  readonly failures: readonly Outcome[];
  readonly workload: WorkloadStatus | undefined;
  readonly now: string;
}

/** Reasons of the controller's that a mere look cannot find out. */
const LASTING = new Set(["WriteRefused", "StartFailed", "Blocked"]);

/** What the controller has written down last. */
const contendedBefore = (before: Remembered | undefined): string | undefined => before?.status.conditions.find(({ type }) => type === "Contended")?.message;

/** memory.max that does not fit is the same trouble whether Holdfast or the kernel says so. */
function reasonOf({ action, error }: Outcome): string {
  if (action.type === "write" && action.knob === "memory.max" && error?.code === "EBUSY") return "Blocked";
  return action.type === "start" ? "StartFailed" : "WriteRefused";
}

function conditionsOf(resource: Resource, found: ObjectFindings, previous: readonly Condition[] | undefined): Condition[] {
  const { generation: observedGeneration, now, problems, failures, remaining, hold, contended } = found;
  const reported = hold ? [] : found.reported;
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
      make("Ready", "False", reasonOf(failure), `${failure.error.message}${failure.error.hint ? ` (${failure.error.hint})` : ""}${more(failures.length)}`),
    );
  else if (problem)
    conditions.push(
      make("Ready", "False", problem.reason, `${fieldOf(problem)}${problem.message}${problem.hint ? ` (${problem.hint})` : ""}${more(problems.length)}`),
    );
  else if (contended !== undefined) conditions.push(make("Ready", "False", "Contended", contended));
  else if (reported.length > 0)
    conditions.push(
      make("Ready", "False", "Drifted", `the machine differs and drift is only reported: ${describe(reported[0] as Action)}${more(reported.length)}`),
    );
  // What the controller was refused is still to do: its reason says more than that.
  else if (remaining.length > 0 && refusedBefore) conditions.push(refusedBefore);
  else if (remaining.length > 0) conditions.push(make("Ready", "False", "Progressing", `to do: ${describe(remaining[0] as Action)}${more(remaining.length)}`));
  else if (resource.kind === "Workload") conditions.push(workloadReady(resource, found.workload ?? {}, make));
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
  if (hold) {
    const by = found.reported.length > 0 ? `; now: ${found.reported.map(describe).join("; ")}` : "";
    conditions.push(make("Held", "True", "AskedFor", `until ${new Date(hold.until).toISOString()}: ${hold.reason}${by}`));
  }
  if (contended !== undefined) conditions.push(make("Contended", "True", "WrittenByOthers", contended));
  if (reported.length > 0) conditions.push(make("Drifted", "True", "DriftReported", reported.map(describe).join("; ")));
  return conditions;
}
