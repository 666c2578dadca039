/** Knows what "observed" is: what the kernel says now about the cgroups below the root and the processes in them. */
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";

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
}

/** The main process of an attempt; its pid stays allocated until the holder is released. */
export interface ObservedMain {
  readonly pid: number;
  readonly exited: boolean;
  /** wait(2) status, once exited (proc(5), stat field 52). */
  readonly waitStatus: number;
  /** Exited without ever reaching exec (PF_FORKNOEXEC). */
  readonly neverExeced: boolean;
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
  readonly reason: "Completed" | "Error" | "OOMKilled" | "StartError" | "ExitStatusUnknown";
  readonly message?: string;
  readonly startedAt: string;
  /** When it was seen to have ended; earlier when the controller was not running. */
  readonly finishedAt: string;
}

/** What is remembered of a replica across restarts of the controller: small, one file each, in the run directory. */
export interface ReplicaRecord {
  /** Number of starts so far. */
  readonly starts: number;
  readonly restarts: number;
  /** Ends in a row without a long enough run: the exponent of the back-off. */
  readonly streak: number;
  readonly current?: { readonly attempt: string; readonly revision: string } & Pick<AttemptMeta, "path" | "startedAt" | "stopSignal" | "gracePeriodSeconds">;
  /** `asked`: it was told to end, so its end says nothing about what it would have done. */
  readonly last?: Terminated & { readonly attempt: string; readonly revision: string; readonly asked?: boolean };
  /** Earliest time of the next start, ms since the epoch. */
  readonly notBefore?: number;
  /** The last start of this revision was refused: nothing ran. */
  readonly failed?: { readonly revision: string; readonly message: string };
  /** Asked to stop at this time, ms since the epoch; `attempt` says which one. `spared`: since then it is declared again. */
  readonly stopping?: { readonly attempt: string; readonly since: number; readonly spared?: boolean };
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
  /** Count of OOM kills among the processes of a cgroup. */
  readonly oomKills: (path: CgroupPath) => number;
  /** Bytes in use, for cgroups with a finite memory.max on v2; looked up when it is about to shrink. */
  readonly memoryCurrent: (path: CgroupPath) => number | undefined;
  /** Names of the child cgroups, over all hierarchies; looked up before a cgroup is removed. */
  readonly childrenOf: (path: CgroupPath) => readonly string[];
  /** Pids in a cgroup that nobody declared, over all hierarchies; not those below it. */
  readonly processesIn: (path: CgroupPath) => readonly number[];
}
