/** Knows what Holdfast says about an object: conditions with Kubernetes' fields, and the state of each replica. */
import type { Kind, ObjectKey } from "./resource.ts";

export interface Condition {
  readonly type: "Ready" | "Reconciling" | "Stalled" | "Drifted" | "Held" | "Contended";
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339; changes only when `status` does. */
  readonly lastTransitionTime: string;
}

interface TerminatedState {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
}

/** As in a pod's containerStatuses[].state. */
export interface ContainerState {
  readonly running?: { readonly pid: number; readonly startedAt: string };
  readonly waiting?: { readonly reason: string; readonly message: string };
  readonly terminated?: TerminatedState;
}

export interface ReplicaStatus {
  readonly name: string;
  readonly cgroup: string;
  readonly ready: boolean;
  readonly restartCount: number;
  /** What a probe found wrong. */
  readonly message?: string;
  readonly state: ContainerState;
  readonly lastState?: ContainerState;
}

/** One run of a schedule, as in a CronJob's Jobs. */
export interface JobRun {
  readonly scheduledTime: string;
  readonly startTime: string;
  readonly completionTime: string;
  readonly succeeded: boolean;
  /** Completed, or why it failed. */
  readonly reason: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly retries: number;
}

export interface DriftStatus {
  /** Repairs and reports since the controller first saw the object. */
  readonly count: number;
  readonly lastSeen: string;
  readonly lastMessage: string;
  /** By field; the 50 that were seen last. */
  readonly fields?: readonly FieldDrift[];
}

export interface FieldDrift {
  /** A limit, a cgroup that is missing, a process that is elsewhere, a process that ended. */
  readonly kind: "Value" | "Structure" | "Membership" | "Process";
  /** `memory.max`. */
  readonly field: string;
  readonly cgroup: string;
  /** `file:line` of the manifest. */
  readonly source?: string;
  readonly desired: string;
  readonly observed: string;
  /** When it was last what it should be by Holdfast's hand, as far as that is known. */
  readonly lastApplied?: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly count: number;
  /** From the event that told of it or, where a look found it, since the look before: then it is that at the most. */
  readonly detection?: { readonly by: "Event" | "Look"; readonly seconds: number };
  /** It is left as it is (drift: Report, held, or contended). */
  readonly open?: boolean;
}

/** A process of the host, as far as a group's rules concern it. */
export interface MemberStatus {
  readonly pid: number;
  readonly command: string;
  /** Who looks after the cgroup that it is in. */
  readonly owner?: string;
}

/** What has become of spec.members; of each kind the first 50 are listed. */
export interface MembersStatus {
  readonly expectedCount: number;
  readonly missingCount: number;
  readonly unexpectedCount: number;
  readonly refusedCount: number;
  /** They are where they belong. */
  readonly expected: readonly MemberStatus[];
  /** They belong there, and are elsewhere. */
  readonly missing: readonly MemberStatus[];
  /** They are there, and no rule says why. */
  readonly unexpected: readonly MemberStatus[];
  /** A rule fits them, and they are left to somebody else. */
  readonly refused: readonly MemberStatus[];
}

export interface GovernedStatus {
  /** From the mount on. */
  readonly cgroup: string;
  readonly owner: string;
  /** How limits are written there. */
  readonly route: "Kernel" | "Systemd" | "None";
}

export interface ObjectStatus {
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
  /** Path below the root cgroup. */
  readonly cgroup: string;
  readonly drift?: DriftStatus;
  readonly members?: MembersStatus;
  /** The cgroups of others that there are of cgroupPath; the first 50. */
  readonly governed?: readonly GovernedStatus[];
  readonly replicas?: number;
  readonly readyReplicas?: number;
  /** Replicas that run the revision that is declared. */
  readonly updatedReplicas?: number;
  /** Replicas that have been ready for minReadySeconds. */
  readonly availableReplicas?: number;
  /** Of a schedule, RFC 3339. */
  readonly lastScheduleTime?: string;
  readonly nextScheduleTime?: string;
  /** Runs of a schedule that are over, the latest last. */
  readonly history?: readonly JobRun[];
  readonly restartCount?: number;
  readonly replicaStatuses?: readonly ReplicaStatus[];
}

/** An object as `get -o yaml` shows it. */
export interface ObjectView {
  readonly apiVersion: string;
  readonly kind: Kind;
  readonly metadata: {
    readonly name: string;
    readonly generation: number;
    /** When a controller saw it first. */
    readonly creationTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: unknown;
  readonly status: ObjectStatus;
}

/** An event, with the fields of Kubernetes' events.k8s.io/v1 that apply. */
export interface Event {
  readonly eventTime: string;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly object: ObjectKey | "Host";
  readonly note: string;
  /** For a repair or a change of one value. */
  readonly field?: string;
  readonly desired?: string;
  readonly observed?: string;
  /** `file:line` of the manifest. */
  readonly source?: string;
}

/** The condition of a type, replacing the previous one; the time moves only when the status does. */
export function condition(previous: readonly Condition[] | undefined, next: Omit<Condition, "lastTransitionTime">, now: string): Condition {
  const before = previous?.find(({ type }) => type === next.type);
  return { ...next, lastTransitionTime: before?.status === next.status ? before.lastTransitionTime : now };
}
