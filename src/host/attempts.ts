/** Knows which attempts there are: read from the holders' cgroups alone, no pid file, no database. */
import { basename } from "node:path";
import type { Controllers } from "../cgroup/hierarchy.ts";
import { exitCodeOf } from "../plan/exit.ts";
import type { AttemptMeta, ObservedAttempt, ObservedMain } from "../plan/observed.ts";
import { errorOf, pidOf } from "./bundle.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import { whyNotExecuted } from "./diagnose.ts";
import { INIT_STAGE, META_INDEX } from "./launch.ts";
import { cgroupsOf, childrenOf, commandLineOf, hasEnded, type ProcessStat, statOf } from "./procfs.ts";
import { LAST_STAGE } from "./shell.ts";
import { HOLDERS, type Tree } from "./tree.ts";

/** Pids of a cgroup, from its cgroup.procs. A process of another pid namespace reads 0: it is nobody to us. */
export function pidsIn(files: CgroupFiles, directory: string): number[] {
  return (files.read(`${directory}/cgroup.procs`) ?? "")
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
}

/** Pids of a cgroup and of all that a workload made below it; undefined when there is no such cgroup. */
export function pidsBelow(files: CgroupFiles, directory: string): number[] | undefined {
  const below = files.children(directory)?.flatMap((name) => pidsBelow(files, `${directory}/${name}`) ?? []);
  return below && [...pidsIn(files, directory), ...below];
}

/** A name for one more attempt of a replica: unlike any before it. */
export const newAttempt = (replica: string): string => `${replica}@${Date.now().toString(36)}${Math.floor(Math.random() * 65_536).toString(16)}`;

/** The replica that an attempt is one of. */
export const replicaOf = (attempt: string): string => attempt.slice(0, attempt.lastIndexOf("@"));

/** All attempts, or those of some replicas. */
export function attempts(files: CgroupFiles, controllers: Controllers, tree: Tree, replicas?: ReadonlySet<string>): ObservedAttempt[] {
  const directory = tree.directory(controllers.core, HOLDERS);
  return (files.children(directory) ?? []).flatMap((id) => {
    const replica = replicaOf(id);
    return replicas && !replicas.has(replica) ? [] : [attempt(files, controllers, tree, id, replica, `${directory}/${id}`)];
  });
}

function attempt(files: CgroupFiles, controllers: Controllers, tree: Tree, id: string, replica: string, directory: string): ObservedAttempt {
  // The child is in this cgroup too until it has moved itself; the holder is the older one, the other's parent.
  const pids = pidsIn(files, directory);
  // And it has executed its script; a child whose holder was killed never executed anything.
  const holder = pids.map((pid) => statOf(pid)).find((stat) => stat && !pids.includes(stat.parent) && !stat.neverExeced);
  if (!holder) return { id, replica, holder: undefined, meta: undefined, main: undefined };
  const meta = parseMeta(commandLineOf(holder.pid)[META_INDEX]);
  const [first, container] = childrenWith(holder.pid, meta);
  // The launching shell of a container stands for it until it has done its work.
  const main = container && first && hasEnded(first) && first.waitStatus === 0 ? container : first;
  const shell = meta?.container !== undefined && main === first;
  const stage = main && stageOf(main, meta);
  const exitCode = main ? exitCodeOf(main.waitStatus) : 0;
  const neverExeced = main !== undefined && (main.neverExeced || main.comm === LAST_STAGE);
  const failed = (exitCode === 126 || exitCode === 127) && typeof stage !== "number" && (neverExeced || stage !== undefined);
  const observedMain: ObservedMain | undefined = main && {
    pid: main.pid,
    exited: hasEnded(main),
    waitStatus: main.waitStatus,
    neverExeced,
    stage,
    ...(shell && !hasEnded(main) && typeof stage !== "number" ? { creating: true } : {}),
    ...notExecuted(failed, exitCode, meta),
    strayed: hasEnded(main) || !meta || shell || holder.state !== "T" ? [] : strayed(controllers, tree, main.pid, meta.path),
  };
  return { id, replica, holder: { pid: holder.pid, stopped: holder.state === "T" }, meta, main: observedMain };
}

type Children = readonly [shell: ProcessStat | undefined, container: ProcessStat | undefined];

/**
 * The launching shell may do its work between the look at who there is and the look at itself: what it has started was adopted before it ended, and is there at a second look.
 * Taken for the whole, an end of the shell would be that of a container that runs.
 */
export function lookAgainFor(container: boolean, look: () => Children): Children {
  const found = look();
  const [shell, first] = found;
  return container && shell && !first && hasEnded(shell) && shell.waitStatus === 0 ? look() : found;
}

const childrenWith = (holder: number, meta: AttemptMeta | undefined): Children => lookAgainFor(meta?.container !== undefined, () => childrenNow(holder, meta));

/** The child that was forked first, and of a container its first process: the one that the runtime has written down, or else the oldest that was adopted. */
function childrenNow(holder: number, meta: AttemptMeta | undefined): Children {
  const [shell, ...adopted] = childrenOf(holder);
  const pid = meta?.container && pidOf(meta.container.bundle);
  const oldest = (): number | undefined => adopted.toSorted((a, b) => (statOf(a)?.startTicks ?? 0) - (statOf(b)?.startTicks ?? 0))[0];
  const container = pid === undefined ? meta?.container && oldest() : adopted.find((child) => child === pid);
  return [shell === undefined ? undefined : statOf(shell), container === undefined ? undefined : statOf(container)];
}

/** Why there is no command, as the runtime tells it, or a look at the file. */
function notExecuted(failed: boolean, exitCode: number, meta: AttemptMeta | undefined): { notExecuted?: string } {
  const told = meta?.container && exitCode !== 0 ? errorOf(meta.container.bundle) : undefined;
  if (told !== undefined) return { notExecuted: told };
  return failed && meta?.command && !meta.container ? { notExecuted: whyNotExecuted(meta.command, meta.workingDir ?? "/", exitCode) } : {};
}

/** Until it is the command itself, a main process has the name of the init command that it runs, or of a program of its wrap. */
function stageOf({ comm, neverExeced, state, waitStatus }: ProcessStat, meta: AttemptMeta | undefined): number | string | undefined {
  if (neverExeced) return comm.startsWith(INIT_STAGE) ? Number(comm.slice(INIT_STAGE.length)) : undefined;
  const code = exitCodeOf(waitStatus);
  // What came to its end well was the command; and env(1) has codes of its own.
  if (state !== "Z" || code === 0 || (comm === "env" && code < ENV_FAILED)) return undefined;
  return meta?.wrap?.some(([tool]) => tool === comm) && basename(meta.command ?? "") !== comm ? comm : undefined;
}

const ENV_FAILED = 125;

function parseMeta(text: string | undefined): AttemptMeta | undefined {
  try {
    return JSON.parse(text ?? "") as AttemptMeta;
  } catch {
    return undefined;
  }
}

/** Hierarchies in which a process is not where it was put. A cgroup that was removed under it reads `(deleted)`. */
function strayed(controllers: Controllers, tree: Tree, pid: number, path: string): string[] {
  const cgroups = cgroupsOf(pid);
  // One that ends reads as in the root cgroup (v1), in any state: asked afterwards, so that what it read while it lived counts.
  const stat = statOf(pid);
  if (!cgroups || !stat || stat.exiting || hasEnded(stat)) return [];
  const where = `/${tree.root}/${path}`;
  return controllers.all.flatMap(({ id, version }) => {
    const actual = cgroups.get(version === 2 ? "" : id);
    // In a container the path may have the outer cgroup in front; and a workload may make cgroups below its own.
    return actual === undefined || actual.endsWith(where) || actual.includes(`${where}/`) ? [] : [id];
  });
}
