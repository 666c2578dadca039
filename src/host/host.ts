/** Knows one machine as the rest of the program uses it: facts, sight and hands, real or simulated. */
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { parseMounts } from "../cgroup/hierarchy.ts";
import type { Machine, Mentions } from "../cgroup/machine.ts";
import type { Action } from "../plan/action.ts";
import type { Observed } from "../plan/observed.ts";
import { type CgroupFiles, kernelFiles } from "./cgroupfs.ts";
import type { CgroupHands } from "./cgroupHands.ts";
import { type ImageStore, Images } from "./images.ts";
import { inspect } from "./inspect.ts";
import { type KernelLog, openKernelLog } from "./kernelLog.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { controllerOfRoot, takeLock } from "./lock.ts";
import { type MemberRecords, memberRecords } from "./memberRecords.ts";
import { type Attention, observe, type Scope } from "./observe.ts";
import { performer } from "./perform.ts";
import { pidIn } from "./pidFile.ts";
import { type Base, lookUp, probe } from "./probe.ts";
import { kernelProcesses, type Processes } from "./processes.ts";
import { EMPTY_TABLE, type ProcessTable, processTable } from "./processTable.ts";
import { isDoomed } from "./procfs.ts";
import { fileRecords, type Records } from "./records.ts";
import { type SimulatedMachine, simulatedMachine, simulatedProcesses } from "./simulated.ts";
import { Tasks } from "./tasks.ts";
import { Tree } from "./tree.ts";
import { NO_WRITERS, openWriters, type Writers } from "./writers.ts";

export interface HostOptions {
  readonly root: string;
  readonly runDirectory: string;
  readonly logDirectory: string;
  /** Where images are unpacked. */
  readonly imageDirectory: string;
  /** How many file descriptors may be kept open between looks. */
  readonly keep?: number;
  readonly simulated?: SimulatedMachine;
  /** Whose the logs are, if not this process'. */
  readonly logUser?: { readonly uid: number; readonly gid: number };
}

/** What another process does for a controller of little privilege. */
export interface Privileged {
  readonly hands: CgroupHands;
  readonly processes: Processes;
  readonly images: ImageStore;
  readonly lookUp: (base: Base, mentions: Mentions) => Machine;
  readonly kernelLog: () => KernelLog;
}

export interface Host {
  readonly base: Base;
  readonly tree: Tree;
  readonly files: CgroupFiles;
  readonly processes: Processes;
  readonly records: Records;
  readonly tasks: Tasks;
  readonly images: ImageStore;
  readonly table: ProcessTable;
  readonly members: MemberRecords;
  readonly ledger: Ledger;
  readonly writers: Writers;
  /** The host's name. */
  readonly name: string;
  readonly options: HostOptions;
  machine(mentions: Mentions): Machine;
  /** Listens to the kernel, from that time on (ms since the epoch). Throws where that is not allowed. */
  kernelLog(since?: number): KernelLog;
  /** How far a process is confined. */
  inspect: typeof inspect;
  /** Looks at everything, or at some cgroups in the hierarchies that each is desired in. */
  observe(machine: Machine, scope?: Scope, attention?: Attention): Observed;
  perform(action: Action): Promise<void> | void;
  /** Pid of the controller at work on this root, if it is another process. */
  controller(): number | undefined;
  lock(): () => void;
  close(): void;
}

export class NoCgroups extends Error {}
/** The root's name is that of a kernel file. */
export class RootIsAFile extends Error {}

const SPLIT = "with run --user,";

/** Opens this machine, or the simulated one that the options name. `through`: who acts on it, if not this process. */
export function openHost(options: HostOptions, through?: Privileged): Host {
  const { simulated } = options;
  const files = simulated?.files ?? kernelFiles(options.keep, through?.hands);
  const tree = new Tree(options.root);
  const mounts = process.platform === "linux" && !simulated ? parseMounts(readFileSync("/proc/self/mountinfo", "utf8")) : [];
  const file = mounts.flatMap((mount) => tree.wayToRoot(mount)).find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  if (file !== undefined) throw new RootIsAFile(`${file} is a file of the kernel's, and no cgroup`);
  const found = simulated || process.platform === "linux" ? probe(files, options.root, simulated?.mountinfo) : undefined;
  // On a simulated machine everybody is root; and whoever has root act for it plans as root.
  const acting = found && (simulated || through) ? { ...found, uid: 0 } : found;
  const base =
    acting && through
      ? { ...acting, noMembers: `${SPLIT} processes that Holdfast has not started are not moved`, noGoverning: `${SPLIT} cgroups of others are not governed` }
      : acting;
  if (!base) throw new NoCgroups("no cgroup file system is mounted here (see mount -t cgroup2 none /sys/fs/cgroup)");
  const { core } = base.controllers;
  // Controllers of other roots have theirs.
  const own = new Images(join(options.imageDirectory, options.root.replaceAll("/", "+")));
  const images = through?.images ?? own;
  const processes =
    through?.processes ??
    (simulated ? simulatedProcesses(files, base.controllers, tree) : kernelProcesses(files, base.controllers, tree, { ...options, images: own }));
  const records = fileRecords(options.runDirectory, base.bootId);
  const tasks = new Tasks();
  const table = simulated ? EMPTY_TABLE : processTable(base.controllers);
  const ledger = openLedger(options.imageDirectory, options.root);
  const writers = simulated || base.uid !== 0 || through ? NO_WRITERS : openWriters();
  const members = memberRecords(options.runDirectory, base.bootId);
  // Whoever has the lock is the only one.
  let isOurs = false;
  const controller = (): number | undefined => (simulated || isOurs ? undefined : controllerOfRoot(files, core, tree));
  const lock = (): (() => void) => {
    const unlock = takeLock(files, core, tree);
    isOurs = true;
    return () => {
      isOurs = false;
      unlock();
    };
  };
  return {
    base,
    tree,
    files,
    processes,
    records,
    tasks,
    images,
    table,
    members,
    ledger,
    writers,
    name: hostname(),
    inspect,
    options,
    machine: (mentions) => (through ? through.lookUp(base, mentions) : lookUp(base, options.root, mentions)),
    kernelLog: through?.kernelLog ?? openKernelLog,
    observe: (machine, scope, attention) =>
      observe({ files, tree, records, processes, tasks, images, table, members, ledger, controller, isDoomed, pidIn }, machine, scope, attention),
    perform: performer({ files, tree, processes, records, tasks, images, table, members, ledger }, base),
    controller,
    lock: () => (simulated || through ? () => {} : lock()),
    close: () => {
      files.close();
      members.close();
      writers.close();
    },
  };
}

/** Opens a simulated machine below a temporary directory of its own. */
export function openSimulatedHost(root: string, version: 1 | 2 = 2): Host & { readonly simulated: SimulatedMachine } {
  const simulated = simulatedMachine(version);
  const host = openHost({
    root,
    runDirectory: join(simulated.directory, ".run"),
    logDirectory: join(simulated.directory, ".log"),
    imageDirectory: join(simulated.directory, ".images"),
    simulated,
  });
  for (const hierarchy of host.base.controllers.all) for (const directory of host.tree.wayToRoot(hierarchy)) host.files.makeDirectory(directory);
  return { ...host, simulated };
}

/** Why this process cannot make cgroups below a root here; undefined when it can. Found out by looking, not by trying. */
export function whyNotWritable(root = "holdfast"): string | undefined {
  if (process.platform !== "linux") return `${process.platform} has no cgroups`;
  const mounts = parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  if (mounts.length === 0) return "no cgroup file system is mounted";
  if (!mounts.some(({ writable }) => writable)) return "cgroups are mounted read-only";
  if (process.geteuid?.() === 0) return undefined;
  // Another user needs a subtree that is delegated to it, which v1 cannot do safely.
  if (mounts.some(({ version, options }) => version === 1 && !options.some((option) => option.startsWith("name=")))) return "not root, and there is cgroup v1";
  const foreign = mounts.filter(({ version }) => version === 2).flatMap((mount) => nearestOnTheWay(mount.mount, root) ?? []);
  return foreign.length > 0 ? `not root, and ${foreign[0]} is not delegated to this user` : undefined;
}

/** The nearest cgroup that there is on the way to the root, unless this user may make others in it. */
function nearestOnTheWay(mount: string, root: string): string | undefined {
  for (let path = join(mount, root); ; path = dirname(path)) {
    if (!existsSync(path)) continue;
    try {
      for (const file of [path, join(path, "cgroup.procs")]) accessSync(file, constants.W_OK);
      return undefined;
    } catch {
      return path;
    }
  }
}
