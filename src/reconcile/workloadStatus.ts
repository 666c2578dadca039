/** Knows the status of a workload: of each replica, of a rollout, of a schedule, and whether all of that is Ready. */
import type { RunSpec, WorkloadResource } from "../api/resource.ts";
import { nextRun } from "../api/schedule.ts";
import type { Condition, ContainerState, ObjectStatus, ReplicaStatus } from "../api/status.ts";
import { replicaName } from "../cgroup/path.ts";
import { type Desired, replicaIds, replicasOf } from "../plan/desired.ts";
import { healthOf, readySince } from "../plan/health.ts";
import type { ReplicaRecord } from "../plan/observed.ts";
import type { ReplicaState } from "../plan/question.ts";
import { rolloutOf } from "../plan/rollout.ts";

/** What a workload's status is made of. */
interface Known {
  readonly desired: Desired;
  readonly states: ReadonlyMap<string, ReplicaState>;
  readonly records: (replica: string) => ReplicaRecord | undefined;
  readonly restartAfter: ReadonlyMap<string, number>;
  readonly now: string;
}

export type WorkloadStatus = Omit<ObjectStatus, "observedGeneration" | "conditions" | "cgroup" | "drift">;

export function workloadStatus(known: Known, resource: WorkloadResource): WorkloadStatus {
  const { desired, records, restartAfter } = known;
  const now = Date.parse(known.now);
  const { run, name } = resource;
  const statuses = replicaIds(resource).map((id) => replicaStatus(known, id));
  const { updated, available } = rolloutOf(replicasOf(desired, resource), run, records, restartAfter.get(name), now);
  return {
    replicas: run.replicas,
    readyReplicas: statuses.filter(({ ready }) => ready).length,
    updatedReplicas: updated,
    availableReplicas: available,
    restartCount: statuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
    ...scheduleStatus(run, records(replicaName(name, 0)), now),
    replicaStatuses: statuses,
  };
}

function scheduleStatus(
  { job }: RunSpec,
  record: ReplicaRecord | undefined,
  now: number,
): Pick<WorkloadStatus, "lastScheduleTime" | "nextScheduleTime" | "history"> {
  if (!job.schedule) return {};
  const last = record?.run?.due ?? Date.parse(record?.history?.at(-1)?.scheduledTime ?? "");
  const next = job.suspend ? undefined : nextRun(job.schedule, now);
  return {
    ...(Number.isFinite(last) ? { lastScheduleTime: new Date(last).toISOString() } : {}),
    ...(next === undefined ? {} : { nextScheduleTime: new Date(next).toISOString() }),
    ...(record?.history ? { history: record.history } : {}),
  };
}

function replicaStatus({ states, records, desired }: Known, name: string): ReplicaStatus {
  const record = records(name);
  const known = states.get(name) ?? { waiting: { reason: "Unknown", message: "not looked at yet" } };
  const state: ContainerState = "terminated" in known ? { terminated: shownTerminated(known.terminated) } : known;
  const last = record?.last;
  const complaint = state.running && record ? healthOf(record)?.complaint : undefined;
  return {
    name,
    cgroup: desired.replicas.get(name)?.path ?? "",
    ready: state.running !== undefined && readySince(record) !== undefined,
    restartCount: record?.restarts ?? 0,
    ...(complaint === undefined ? {} : { message: complaint }),
    state,
    ...(last && !state.terminated ? { lastState: { terminated: shownTerminated(last) } } : {}),
  };
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

type Make = (type: "Ready", status: "True" | "False", reason: string, message: string) => Condition;

export function workloadReady({ run }: WorkloadResource, { replicaStatuses: replicas = [], history }: WorkloadStatus, make: Make): Condition {
  const ready = replicas.filter((replica) => replica.ready).length;
  if (ready === run.replicas) return make("Ready", "True", "Running", run.replicas === 1 ? "running" : `${ready} of ${run.replicas} running`);
  const other = replicas.find((replica) => !replica.ready);
  const { running, waiting, terminated } = other?.state ?? {};
  if (terminated?.reason === "Completed") return make("Ready", "False", "Completed", "ran to completion");
  const count = `${ready} of ${run.replicas} ${running ? "ready" : "running"}`;
  if (running) return make("Ready", "False", "NotReady", `${count}${other?.message ? `: ${other.message}` : ""}`);
  const failed = history?.at(-1);
  if (waiting?.reason === "Scheduled" && failed && !failed.succeeded)
    return make("Ready", "False", "JobFailed", `the run of ${failed.scheduledTime} failed: ${failed.reason}; ${waiting.message}`);
  // A job that waits for its time is as it should be.
  if (waiting?.reason === "Scheduled" || waiting?.reason === "Suspended") return make("Ready", "True", waiting.reason, waiting.message);
  const reason = waiting?.reason ?? terminated?.reason ?? "NotRunning";
  const detail = waiting?.message ?? terminated?.message ?? terminated?.signal ?? "";
  return make("Ready", "False", reason, `${count}${detail ? `: ${detail}` : ""}`);
}
