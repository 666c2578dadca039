/** Knows what "observed" is: what the kernel says now about the cgroups below the root and the processes in them. */
import type { Handler, RunSpec } from "../api/resource.ts";
import type { JobRun } from "../api/status.ts";
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { WantedImage } from "../oci/image.ts";
import type { MemberRecord, ObservedProcess } from "./hostProcess.ts";
import type { ImageState } from "./imageState.ts";
import type { LedgerEntry } from "./ledger.ts";
import type { StopReason } from "./reasons.ts";

/** One directory of one hierarchy. */
export interface ObservedCgroup {
  /** Texts of the files in the hierarchy's table, in its order; undefined where the file does not exist. */
  readonly texts: readonly (string | undefined)[];
  /** v2: the controllers it has; v1: undefined, all files are always there. */
  readonly controllers: ReadonlySet<string> | undefined;
  /** v2: what its children have. */
  readonly subtree: ReadonlySet<string> | undefined;
  /** v2: CPUs and nodes of the parent, read only when the cgroup's own list is set. */
  readonly parentEffective?: Readonly<Record<string, string>>;
}

/** Metadata that travels in the holder's command line, so that a new controller knows what it finds. */
export interface AttemptMeta {
  readonly workload: string;
  readonly ordinal: number;
  readonly path: string;
  readonly revision: string;
  readonly startedAt: string;
  /** The cgroup's count of OOM kills before the start. */
  readonly oomKills: number;
  readonly stopSignal: NodeJS.Signals;
  readonly gracePeriodSeconds: number;
  /** The first word of the command. */
  readonly command?: string;
  readonly workingDir?: string;
  readonly umask?: string;
  /** Programs through which it was started (plan/identity.ts). */
  readonly wrap?: readonly (readonly string[])[];
  /** Names of its init commands. */
  readonly inits?: readonly string[];
  /** Its bundle, and what made a container of it (host/container.ts). */
  readonly container?: ContainerMeta;
}

/** What it takes to find a container again. */
export interface ContainerMeta {
  readonly bundle: string;
  /** Path of the runtime that made it. */
  readonly engine: string;
  /** Directory of the runtime's own state. */
  readonly state: string;
  /** Whether the runtime looks after its cgroup. */
  readonly managed: boolean;
  /** What the runtime must take for all there is of cgroups. */
  readonly view?: CgroupView;
}

/** A cgroup's directory, and the mount in the place of which a program sees it. */
export interface CgroupView {
  readonly cgroup: string;
  readonly mount: string;
}

/** The main process of an attempt; its pid stays allocated until the holder is released. */
export interface ObservedMain {
  readonly pid: number;
  readonly exited: boolean;
  /** wait(2) status, once exited (proc(5), stat field 52). */
  readonly waitStatus: number;
  /** Has not executed its command: it is the launching shell still (PF_FORKNOEXEC), or that between its wrap and the command. */
  readonly neverExeced: boolean;
  /** What it is on its way to the command: the number of an init command, or the program of its wrap that ended. */
  readonly stage: number | string | undefined;
  /** Its container is being made. */
  readonly creating?: boolean;
  /** Why the command could not be executed, once that has ended it. */
  readonly notExecuted?: string;
  /** Hierarchies in which it is not in its cgroup any more. */
  readonly strayed: readonly string[];
}

export interface ObservedAttempt {
  /** `web@0@lx3f2k-1`: the holder's cgroup. */
  readonly id: string;
  readonly replica: string;
  readonly holder: { readonly pid: number; readonly stopped: boolean } | undefined;
  readonly meta: AttemptMeta | undefined;
  readonly main: ObservedMain | undefined;
}

/** How a main process ended. */
export interface Terminated {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: "Completed" | "Error" | "OOMKilled" | "StartError" | "InitError" | "DeadlineExceeded" | "ExitStatusUnknown";
  readonly message?: string;
  readonly startedAt: string;
  /** When it was seen to have ended; earlier when the controller was not running. */
  readonly finishedAt: string;
}

/** How well an attempt is, once its init commands are done. */
export interface Health {
  readonly attempt: string;
  /** Its postStart hook has succeeded, or it has none. */
  readonly hooked: boolean;
  /** Its startup probe has succeeded, or it has none. */
  readonly started: boolean;
  readonly ready: boolean;
  /** Ready since then, ms since the epoch. */
  readonly since?: number;
  /** What a probe found wrong, from its first failure to its next success. */
  readonly complaint?: string;
}

/** An end that was begun. */
export interface Stopping {
  readonly attempt: string;
  /** ms since the epoch. */
  readonly since: number;
  readonly reason?: StopReason;
  readonly message?: string;
  /** Its grace period, ms, where that is not the workload's. */
  readonly grace?: number;
  /** The preStop hook is at work; the stop signal comes after it. */
  readonly hook?: boolean;
  /** Its signal may not have been sent yet. */
  readonly unsent?: boolean;
  /** Since then it is declared again. */
  readonly spared?: boolean;
}

/** What is remembered of a replica across restarts of the controller: small, one file each, in the run directory. */
export interface ReplicaRecord {
  /** Number of starts so far. */
  readonly starts: number;
  readonly restarts: number;
  /** Ends in a row without a long enough run: the exponent of the back-off. */
  readonly streak: number;
  readonly current?: Current;
  /** The start of `current` is under way: what is remembered if it comes to nothing, for a controller that ends meanwhile. */
  readonly before?: ReplicaRecord;
  /** `asked`: it was told to end, so its end says nothing about what it would have done; `why` by what. */
  readonly last?: Terminated & { readonly attempt: string; readonly revision: string; readonly asked?: boolean; readonly why?: StopReason };
  /** The attempt after which it was not started again, although its policy says so. */
  readonly gaveUp?: string;
  /** Earliest time of the next start, ms since the epoch. */
  readonly notBefore?: number;
  /** The last start of this revision was refused: nothing ran. */
  readonly failed?: { readonly revision: string; readonly message: string };
  readonly stopping?: Stopping;
  readonly health?: Health;
  /** Since the first start of this revision or, with a schedule (`due`), for that time; ms since the epoch. `proven`: it has been available, in a rollout's sense. */
  readonly run?: { readonly since: number; readonly retries: number; readonly due?: number; readonly proven?: boolean };
  /** Times of the latest restarts of this run, as far as maxRestarts asks for them. */
  readonly restartTimes?: readonly number[];
  /** All times up to `from` (ms since the epoch) of this schedule have been dealt with. */
  readonly schedule?: { readonly expression: string; readonly from: number };
  readonly history?: readonly JobRun[];
}

/** What runs, and how to end it as it was declared last. */
export interface Current extends Ending {
  readonly attempt: string;
  readonly revision: string;
  readonly path: string;
  readonly startedAt: string;
  /** Names of the workloads that it depends on: they end after it. */
  readonly dependsOn?: readonly string[];
  /** Its probes, as they were declared last for this revision. */
  readonly probes?: RunSpec["probes"];
  /** Running is not enough for it to be ready: its health tells. */
  readonly watched?: boolean;
  /** The cgroup's count of OOM kills that it has outlived, where there were any since it started. */
  readonly oomKills?: number;
}

/** How to end an attempt. */
export interface Ending {
  readonly stopSignal: NodeJS.Signals;
  readonly gracePeriodSeconds: number;
  readonly killMode?: RunSpec["killMode"];
  readonly preStop?: Handler | undefined;
}

/** A hook that was begun by this controller: still at work, or how it went. `killed`: not by the controller, so perhaps for memory. */
export type TaskState = "running" | { readonly ok: true } | TaskFailure;

/** `killed`: its command was, by SIGKILL. `unasked`: nothing could be run, which tells nothing of the workload. */
interface TaskFailure {
  readonly ok: false;
  readonly message: string;
  readonly killed?: boolean;
  readonly unasked?: boolean;
}

export interface ObservedReplica {
  readonly attempts: readonly ObservedAttempt[];
  /** Its cgroups that exist, with the processes in and below them other than an exited main. */
  readonly members: ReadonlyMap<CgroupPath, readonly number[]>;
  readonly record: ReplicaRecord | undefined;
}

export interface Observed {
  readonly machine: Machine;
  /** By hierarchy id, then path. A missing path has no directory there. */
  readonly cgroups: ReadonlyMap<string, ReadonlyMap<CgroupPath, ObservedCgroup>>;
  readonly replicas: ReadonlyMap<string, ObservedReplica>;
  /** What is remembered of any replica, looked at or not. */
  readonly record: (replica: string) => ReplicaRecord | undefined;
  /** Ids of all replicas that are remembered. */
  readonly remembered: () => readonly string[];
  /** The state of a hook, by its key. */
  readonly task: (key: string) => TaskState | undefined;
  /** Count of OOM kills among the processes of a cgroup. */
  readonly oomKills: (path: CgroupPath) => number;
  /** How often a cgroup's own memory limit was hit. */
  readonly limitHits: (path: CgroupPath) => number;
  /** Whether a process is over, or cannot but end. */
  readonly isDoomed: (pid: number) => boolean;
  /** Bytes in use, for cgroups with a finite memory.max on v2; looked up when it is about to shrink. */
  readonly memoryCurrent: (path: CgroupPath) => number | undefined;
  /** Percent of the last ten seconds in which all of its processes waited for memory: of the cgroup or, where that is not told, of the host. */
  readonly memoryPressure: (path: CgroupPath) => number | undefined;
  readonly image: (wanted: WantedImage) => ImageState;
  /** The processes of the host, by pid; looked up where there are rules for them. */
  readonly processes: () => ReadonlyMap<number, ObservedProcess>;
  /** What was found in cgroups of others before the first write. */
  readonly ledger: () => ReadonlyMap<string, LedgerEntry>;
  /** Which cgroup it is that has this path now; undefined: none. */
  readonly identity: (hierarchy: string, path: CgroupPath) => string | undefined;
  readonly memberships: () => ReadonlyMap<number, MemberRecord>;
  /** The process that a file names, as far as its owner may name it. */
  readonly pidIn: (file: string) => number | undefined;
  /** Holdfast's own root, below every mount. */
  readonly root: string;
  /** Pids of this program and of the controller at work. */
  readonly holdfast: () => ReadonlySet<number>;
  /** Names of the child cgroups, over all hierarchies; looked up before a cgroup is removed. */
  readonly childrenOf: (path: CgroupPath) => readonly string[];
  /** Pids in a cgroup that nobody declared, over all hierarchies; not those below it. */
  readonly processesIn: (path: CgroupPath) => readonly number[];
}
