/** Knows what a process of the host is to a look, and what is kept of one that was drawn into a group. */
import type { CgroupPath } from "../cgroup/path.ts";

/** A process of the host, neither the kernel's nor over. */
export interface ObservedProcess {
  readonly pid: number;
  /** Clock ticks since boot: with the pid and the boot, its identity. */
  readonly start: number;
  readonly parent: number;
  readonly comm: string;
  /** Effective ids. */
  readonly uid: number;
  readonly gid: number;
  /** Path of the program; undefined where that cannot be read. */
  readonly exe: () => string | undefined;
  /** Words joined by blanks. */
  readonly commandLine: () => string;
  /** Below the mount, by the hierarchy's id; `/` is the root. */
  readonly cgroups: ReadonlyMap<string, string>;
}

/** Where a process is, or was: paths below each mount, by hierarchy. */
export type CgroupsOfProcess = Readonly<Record<string, string>>;

/** A process that was drawn into a group; kept across restarts of the controller, and worth something within one boot. */
export interface MemberRecord {
  readonly pid: number;
  readonly start: number;
  readonly path: CgroupPath;
  /** The rule that drew it in, or the process that it comes from: canonical JSON. */
  readonly rule: string;
  /** Where it came from, by hierarchy. */
  readonly from: CgroupsOfProcess;
}
