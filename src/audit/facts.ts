/** Knows what is looked at of a process to say how far it is confined. Undefined is unknown: it could not be read. */

/** The kinds of namespaces (namespaces(7)). */
export const NAMESPACES = ["user", "net", "pid", "ipc", "uts", "cgroup", "mnt"] as const;
export type NamespaceKind = (typeof NAMESPACES)[number];

export interface Mount {
  readonly at: string;
  readonly writable: boolean;
  readonly type: string;
  readonly shared: boolean;
}

export interface ProcessFacts {
  readonly pid: number;
  readonly comm: string;
  readonly uid: number | undefined;
  /** Capability masks as in /proc/PID/status. */
  readonly effective: bigint | undefined;
  readonly bounding: bigint | undefined;
  /** 0 none, 1 strict, 2 filters. */
  readonly seccomp: number | undefined;
  readonly noNewPrivileges: boolean | undefined;
  readonly traced: boolean | undefined;
  /** Whether it shares each namespace with the program that looks, which is the host's. */
  readonly sharesNamespace: Readonly<Partial<Record<NamespaceKind, boolean>>>;
  /** `unconfined`, or the profile of AppArmor or context of SELinux; empty where there is no such module. */
  readonly label: string | undefined;
  readonly mounts: readonly Mount[] | undefined;
  /** A container runtime's socket that it can reach. */
  readonly runtimeSocket: boolean | undefined;
  /** Soft limits: a number, or Infinity. */
  readonly limits: { readonly files: number; readonly processes: number; readonly core: number } | undefined;
  readonly oomScoreAdj: number | undefined;
  /** Path of its program, ` (deleted)` and all. */
  readonly exe: string | undefined;
  readonly commandLine: string | undefined;
  /** Names of variables that look like those of secrets. */
  readonly secretVariables: readonly string[] | undefined;
  readonly inRootCgroup: boolean | undefined;
  /** Whether itself or anything above it is limited. */
  readonly limited: Readonly<Partial<Record<"memory" | "swap" | "cpu" | "pids", boolean>>>;
}
