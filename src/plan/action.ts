/** Knows every effect Holdfast can have, as data: the plan's line, the log record and the test's expectation in one. */
import type { LimitName } from "../api/limits.ts";
import type { Handler, ObjectKey } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { WantedImage } from "../oci/image.ts";
import type { DesiredReplica } from "./desired.ts";
import type { MemberRecord } from "./hostProcess.ts";
import type { LedgerEntry } from "./ledger.ts";
import type { ContainerMeta, Health, ReplicaRecord, Terminated } from "./observed.ts";
import type { GaveUp, StartReason, StopReason } from "./reasons.ts";

/** Why a value is written: the machine moved away from what was converged, or the manifest asks for something new. */
export type Cause = "drift" | "pending";

/** One entry per kind of action; `Action` is derived from it, and so are the tables that perform and describe them. */
interface Effects {
  /** mkdir in one hierarchy. */
  create: { readonly path: CgroupPath; readonly hierarchy: string; readonly cause: Cause };
  /** v2: hand controllers down to the children. */
  enable: { readonly path: CgroupPath; readonly hierarchy: string; readonly controllers: readonly string[]; readonly cause: Cause };
  /** One write(2) to one kernel file. `from` and `to` are canonical; `text` is what is written. */
  write: {
    readonly path: CgroupPath;
    readonly hierarchy: string;
    readonly file: string;
    readonly key: string;
    readonly knob: LimitName | "frozen";
    readonly from: string;
    readonly to: string;
    readonly text: string;
    /** False for a value that nobody declared: the kernel's default. */
    readonly declared: boolean;
    /** It stands in for what is declared. */
    readonly standIn?: true;
    readonly cause: Cause;
    /** In a cgroup of somebody else's. */
    readonly governing?: {
      readonly unit: string | undefined;
      /** `MemoryMax=104857600`: it is set through systemd. Undefined: it is written to the kernel's file. */
      readonly assignments: readonly string[] | undefined;
      /** What is to be kept of it. */
      readonly entry: LedgerEntry;
      /** It is declared no more: nothing is to be kept then. */
      readonly over: boolean;
    };
  };
  /** Have the kernel reclaim memory of a cgroup; less than all of it is no failure. */
  reclaim: { readonly path: CgroupPath; readonly hierarchy: string; readonly bytes: number };
  /** Keep something else of a value in a cgroup of somebody else's, or nothing any more. */
  ledger: { readonly path: CgroupPath; readonly entry: LedgerEntry; readonly keep: LedgerEntry | undefined; readonly note: string | undefined };
  /** Put a main process back where it belongs. */
  place: { readonly path: CgroupPath; readonly hierarchy: string; readonly pid: number; readonly replica: string };
  /** Move a process of the host into the cgroup of a group's members. `seen`: where it is now. */
  join: {
    readonly path: CgroupPath;
    readonly hierarchies: readonly string[];
    readonly comm: string;
    readonly seen: Readonly<Record<string, string>>;
    readonly record: MemberRecord;
    readonly cause: Cause;
  };
  /** Move a process back to where it came from. `path`: where it is, in these hierarchies. */
  leave: { readonly path: CgroupPath; readonly hierarchies: readonly string[]; readonly comm: string; readonly record: MemberRecord; readonly cause: Cause };
  /** Write down where a process belongs that was born among the members. */
  enroll: { readonly path: CgroupPath; readonly record: MemberRecord };
  /** `hierarchies`: where it must be placed. The record of it is `before` until something runs, and then `record`; `refused`: what it has more if nothing could be started. */
  start: {
    readonly path: CgroupPath;
    readonly replica: DesiredReplica;
    readonly hierarchies: readonly string[];
    readonly reason: StartReason;
    readonly before: ReplicaRecord;
    readonly record: ReplicaRecord;
    readonly refused: Pick<ReplicaRecord, "streak" | "notBefore">;
  };
  /** Ask a main process to end; its pid is pinned by the holder. */
  signal: {
    readonly path: CgroupPath;
    readonly replica: string;
    readonly attempt: string;
    readonly pid: number;
    readonly signal: NodeJS.Signals;
    readonly reason: StopReason;
    readonly record: ReplicaRecord;
  };
  /** Ask every process of a cgroup to end: their holder is gone (`orphaned`), or its killMode says so. */
  signalAll: {
    readonly path: CgroupPath;
    readonly replica: string;
    readonly orphaned: boolean;
    readonly signal: NodeJS.Signals;
    readonly reason: StopReason;
    readonly record: ReplicaRecord;
  };
  /** Write down what runs, where no record tells of it. */
  adopt: { readonly path: CgroupPath; readonly replica: string; readonly record: ReplicaRecord };
  /** Write down that it need not end after all: it is declared again as it is. */
  spare: { readonly path: CgroupPath; readonly replica: string; readonly record: ReplicaRecord };
  /** End every process of a cgroup, and below it, at once. */
  kill: { readonly path: CgroupPath; readonly replica: string; readonly reason: StopReason | "grace period over" | "left behind by the main process" };
  /** Write down how a main process ended; `asked`: it was told to. Comes before its release. */
  record: {
    readonly path: CgroupPath;
    readonly replica: string;
    readonly attempt: string;
    readonly asked: boolean;
    readonly terminated: Terminated;
    readonly record: ReplicaRecord;
  };
  /** Begin a hook, in the background; whoever looks next finds its state. */
  hook: {
    readonly path: CgroupPath;
    readonly replica: string;
    readonly which: "postStart" | "preStop";
    readonly key: string;
    readonly target: Target;
    readonly handler: Handler;
    /** ms */
    readonly timeout: number;
    /** Undefined: nothing is to be remembered. */
    readonly record: ReplicaRecord | undefined;
  };
  /** Begin to verify and unpack an image, in the background. */
  unpack: { readonly path: CgroupPath; readonly replica: string; readonly key: string; readonly wanted: WantedImage };
  /** Tell that a hook failed where that alone ends nothing. */
  complain: { readonly path: CgroupPath; readonly replica: string; readonly note: string };
  /** Write down how well it is. */
  health: { readonly path: CgroupPath; readonly replica: string; readonly before: Health | undefined; readonly health: Health; readonly record: ReplicaRecord };
  /** Write down how a run of a schedule went, that it was missed, or that no start follows any more. */
  conclude: {
    readonly path: CgroupPath;
    readonly replica: string;
    readonly outcome: "JobComplete" | "JobFailed" | "MissedSchedule" | GaveUp;
    readonly note: string;
    readonly record: ReplicaRecord;
  };
  /** Write down what need not be told. */
  note: { readonly path: CgroupPath; readonly replica: string; readonly record: ReplicaRecord };
  /** Let the holder reap its child and go. */
  release: { readonly path: CgroupPath; readonly replica: string; readonly attempt: string; readonly holder: number };
  /** An attempt that never started: take its lock away, so that it never will. */
  void: { readonly path: CgroupPath; readonly replica: string; readonly attempt: string };
  /** Stop a holder again that somebody continued. */
  hold: { readonly path: CgroupPath; readonly replica: string; readonly attempt: string; readonly holder: number };
  /** rmdir in one hierarchy. */
  remove: { readonly path: CgroupPath; readonly hierarchy: string };
  /** Forget the record of a replica that is gone. */
  forget: { readonly path: CgroupPath; readonly replica: string };
}

/** What a handler is run for: an attempt whose main process is pinned by its holder. */
export interface Target {
  readonly attempt: string;
  readonly pid: number;
  readonly path: string;
  readonly workingDir: string;
  /** Undefined: as the main process was started with. */
  readonly env: readonly (readonly [string, string])[] | undefined;
  readonly umask: string | undefined;
  readonly wrap: readonly (readonly string[])[];
  /** The container to run it in. */
  readonly container: ContainerMeta | undefined;
}

type ActionType = keyof Effects;
/** A distributive union: `{type: "write", path, …} | {type: "create", …} | …`, each with its owner. */
export type Action = { [T in ActionType]: { readonly type: T; readonly owner: ObjectKey | undefined } & Effects[T] }[ActionType];
export type ActionOf<T extends ActionType> = Extract<Action, { type: T }>;
/** A function for every kind of action. */
export type PerAction<R> = { readonly [T in ActionType]: (action: ActionOf<T>) => R };

/** Kinds of actions that change nothing of what is declared: they are no differences. */
export const BOOKKEEPING: ReadonlySet<ActionType> = new Set<ActionType>([
  "record",
  "release",
  "void",
  "hold",
  "forget",
  "adopt",
  "spare",
  "hook",
  "complain",
  "health",
  "conclude",
  "note",
  "enroll",
  "ledger",
  "reclaim",
]);
