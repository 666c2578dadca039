/** Knows what a valid object is after reading: canonical limits, every default filled in, and where it was written. */
import type { Confinement } from "./confinement.ts";
import type { LimitName, Limits } from "./limits.ts";
import type { Member } from "./schema.ts";

/** Where a document stands: enough to find the line of any field again, without keeping a syntax tree. */
export interface Origin {
  /** Path of the file as a person would type it. */
  readonly file: string;
  /** Line of the file on which the document's text begins, from 1. */
  readonly line: number;
  readonly text: string;
}

export type Kind = "LimitGroup" | "Workload";

/** `Workload/nightly-backup`: the identity of an object. */
export type ObjectKey = `${Kind}/${string}`;

interface Common {
  readonly key: ObjectKey;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Name of the LimitGroup that it is inside of; undefined directly under the root cgroup. */
  readonly parent: string | undefined;
  readonly limits: Limits;
  readonly drift: "Repair" | "Report";
  /** Limits of which drift is nobody's business. */
  readonly ignore: ReadonlySet<LimitName>;
  /** The spec as it was written; two objects with equal specs are the same generation. */
  readonly spec: unknown;
  readonly origin: Origin;
}

export interface LimitGroupResource extends Common {
  readonly kind: "LimitGroup";
  readonly frozen: boolean;
  /** The cgroups of somebody else that it governs: a glob of paths below each mount, which begin with a slash. Undefined: it has one of its own. */
  readonly governs: Governs | undefined;
  /** Which processes of the host are drawn in. */
  readonly members: readonly Member[];
}

export interface Governs {
  /** `/system.slice/nginx.service`. */
  readonly paths: string;
  /** What becomes of a limit that is declared no more. */
  readonly deletionPolicy: DeletionPolicy;
}

export type DeletionPolicy = "Restore" | "Reset" | "Orphan";

export interface WorkloadResource extends Common {
  readonly kind: "Workload";
  readonly run: RunSpec;
}

/** How to run a workload; every default is filled in. */
export interface RunSpec {
  readonly replicas: number;
  readonly strategy: Strategy;
  readonly argv: readonly string[];
  readonly initCommands: readonly { readonly name: string; readonly argv: readonly string[] }[];
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly envFrom: readonly { readonly file: string; readonly optional: boolean }[];
  readonly workingDir: string;
  readonly identity: Identity;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  /** Exit codes that start it again whatever the policy says. */
  readonly restartRules: readonly { readonly operator: "In" | "NotIn"; readonly values: readonly number[] }[];
  readonly backoff: Backoff;
  /** `window` in ms; undefined: since the first start of the revision. */
  readonly maxRestarts: { readonly count: number; readonly window: number | undefined } | undefined;
  readonly gracePeriodSeconds: number;
  readonly stopSignal: NodeJS.Signals;
  readonly killMode: "Mixed" | "ControlGroup" | "Process";
  readonly probes: { readonly startup?: Probe; readonly liveness?: Probe; readonly readiness?: Probe };
  readonly postStart: Handler | undefined;
  readonly preStop: Handler | undefined;
  readonly dependsOn: readonly Dependency[];
  readonly job: Job;
  readonly logs: Logs;
  /** Undefined: a plain process of the host. */
  readonly confinement: Confinement | undefined;
}

/** Who the process is, and what the kernel lets it do; what is undefined is inherited from the controller. */
export interface Identity {
  readonly user?: string | number;
  readonly group?: string | number;
  readonly supplementaryGroups?: readonly (string | number)[];
  /** Octal. */
  readonly umask?: string;
  readonly nice?: number;
  readonly ioPriority?: { readonly class: "IOPRIO_CLASS_RT" | "IOPRIO_CLASS_BE" | "IOPRIO_CLASS_IDLE"; readonly priority: number };
  readonly schedulingPolicy?: { readonly policy: "SCHED_OTHER" | "SCHED_BATCH" | "SCHED_IDLE" | "SCHED_FIFO" | "SCHED_RR"; readonly priority: number };
  readonly cpuAffinity?: string;
  readonly oomScoreAdj?: number;
  readonly rlimits?: readonly Rlimit[];
}

export interface Rlimit {
  /** `RLIMIT_NOFILE`. */
  readonly type: string;
  /** A decimal number, or `unlimited`. */
  readonly soft: string;
  readonly hard: string;
}

/** What can be asked of a workload: one of the four. */
export type Handler =
  | { readonly exec: readonly string[] }
  | {
      readonly httpGet: {
        readonly host: string;
        readonly port: number;
        readonly path: string;
        readonly scheme: "HTTP" | "HTTPS";
        readonly headers: readonly (readonly [string, string])[];
      };
    }
  | { readonly tcpSocket: { readonly host: string; readonly port: number } }
  | { readonly sleep: number };

/** As a container's probe; all times in seconds. */
export interface Probe {
  readonly handler: Handler;
  readonly initialDelaySeconds: number;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
  /** Of a stop that this probe asks for; undefined: the workload's. */
  readonly gracePeriodSeconds: number | undefined;
}

/** How a new revision reaches the replicas. */
export interface Strategy {
  /** Replicas that may be unavailable at a time, at least 1. */
  readonly maxUnavailable: number;
  readonly minReadySeconds: number;
  readonly progressDeadlineSeconds: number;
}

export interface Dependency {
  readonly name: string;
  readonly condition: "Started" | "Ready" | "Completed";
}

/** What makes a workload a job; without a schedule only the two limits count. */
export interface Job {
  readonly schedule: Schedule | undefined;
  readonly concurrencyPolicy: "Forbid" | "Replace";
  readonly startingDeadlineSeconds: number | undefined;
  readonly suspend: boolean;
  readonly activeDeadlineSeconds: number | undefined;
  readonly backoffLimit: number | undefined;
  readonly successfulHistory: number;
  readonly failedHistory: number;
}

export interface Schedule {
  /** As in crontab(5). */
  readonly expression: string;
  /** IANA name; undefined: the host's. */
  readonly timeZone: string | undefined;
}

export interface Logs {
  readonly journald: boolean;
  readonly directory: string | undefined;
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** Pauses between restarts, in milliseconds. Kubernetes' numbers: 10s, doubling to 5m, anew after 10m. */
export interface Backoff {
  readonly initial: number;
  readonly factor: number;
  readonly max: number;
  readonly resetAfter: number;
}

export type Resource = LimitGroupResource | WorkloadResource;

/** The annotation that lets memory.max go below what is in use. */
export const FORCE_ANNOTATION = "holdfast.dev/force";

export const isForced = ({ annotations }: Pick<Resource, "annotations">): boolean => annotations[FORCE_ANNOTATION] === "true";

/** Longest path of an object's cgroup below the root, in characters: PATH_MAX (limits.h), less what the mount point and a file's name need. */
export const LONGEST_PATH = 3500;

/** The cgroup, below that of a LimitGroup, of the processes that its spec.members draws in. */
export const MEMBERS = "members";
