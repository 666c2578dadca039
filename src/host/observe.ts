/** Knows how to see what is there: every cgroup below the root in every hierarchy, and the processes of workloads. */
import type { Hierarchy } from "../cgroup/hierarchy.ts";
import { entryIn, type FileEntry, type Machine } from "../cgroup/machine.ts";
import { type CgroupPath, childPath, isForeign, isInternal, nameOf, parentPath, ROOT } from "../cgroup/path.ts";
import type { DesiredCgroup } from "../plan/desired.ts";
import type { Observed, ObservedAttempt, ObservedCgroup, ObservedReplica } from "../plan/observed.ts";
import { pidsBelow, pidsIn } from "./attempts.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import type { ImageStore } from "./images.ts";
import type { Ledger } from "./ledger.ts";
import type { MemberRecords } from "./memberRecords.ts";
import { limitHits, memoryCurrent, memoryPressure, oomKills } from "./memory.ts";
import type { Processes } from "./processes.ts";
import type { ProcessTable } from "./processTable.ts";
import type { Records } from "./records.ts";
import type { Tasks } from "./tasks.ts";
import type { Tree } from "./tree.ts";

export interface Observer {
  readonly files: CgroupFiles;
  readonly tree: Tree;
  readonly records: Records;
  readonly processes: Processes;
  readonly tasks: Tasks;
  readonly images: ImageStore;
  readonly table: ProcessTable;
  readonly members: MemberRecords;
  readonly ledger: Ledger;
  readonly isDoomed: (pid: number) => boolean;
  readonly pidIn: (file: string) => number | undefined;
  /** Pid of the controller at work. */
  readonly controller: () => number | undefined;
}

/** Cgroups to look at, each with the hierarchies in which it is desired; undefined: all of them. */
export type Scope = ReadonlyMap<CgroupPath, ReadonlySet<string> | undefined>;

/** Names of the files that somebody wrote to, by hierarchy. */
export type Touch = ReadonlyMap<string, ReadonlySet<string>>;

/** What to look at more closely. */
export interface Attention {
  /** What is desired: its files are the ones that matter most. */
  readonly cgroups: ReadonlyMap<CgroupPath, Pick<DesiredCgroup, "settings">>;
  /** All that has changed, where that is known. */
  readonly touched?: ReadonlyMap<CgroupPath, Touch | undefined> | undefined;
}

/** Looks at the whole tree, or at the cgroups in `scope` alone. */
export function observe(observer: Observer, machine: Machine, scope?: Scope, attention?: Attention): Observed {
  const { files, tree, records, tasks, images, ledger } = observer;
  const cgroups = new Map<string, Map<CgroupPath, ObservedCgroup>>();
  // Those below the root are found by a walk; of the others only what is governed, or was, is anybody's business here.
  const foreign = scope ? [] : new Set([...[...(attention?.cgroups.keys() ?? [])].filter(isForeign), ...[...ledger.all().values()].map(({ path }) => path)]);
  for (const hierarchy of machine.controllers.all) {
    const found = new Map<CgroupPath, ObservedCgroup>();
    cgroups.set(hierarchy.id, found);
    const look = (path: CgroupPath): boolean => {
      const seen = observeCgroup(files, tree, machine, hierarchy, path, attention);
      if (seen) found.set(path, seen);
      return seen !== undefined;
    };
    if (scope) {
      for (const [path, hierarchies] of scope) if (!hierarchies || hierarchies.has(hierarchy.id)) look(path);
    } else {
      walk(files, tree, hierarchy, ROOT, look);
      for (const path of foreign) look(path);
    }
  }
  return {
    machine,
    cgroups,
    replicas: observeReplicas(observer, machine, cgroups, scope),
    record: records.read,
    remembered: records.list,
    task: tasks.state,
    oomKills: (path) => oomKills(files, tree, machine, path),
    limitHits: (path) => limitHits(files, tree, machine, path),
    isDoomed: observer.isDoomed,
    image: (wanted) => images.state(wanted),
    processes: scope ? observer.table.known : observer.table.look,
    ledger: ledger.all,
    identity: (hierarchy, path) => identityOf(files, tree, machine, hierarchy, path),
    memberships: observer.members.all,
    pidIn: observer.pidIn,
    root: tree.root,
    holdfast: () => new Set([process.pid, observer.controller() ?? process.pid]),
    memoryPressure: (path) => memoryPressure(files, tree, machine, path),
    memoryCurrent: (path) => memoryCurrent(files, tree, machine, path),
    childrenOf: (path) => [...new Set(machine.controllers.all.flatMap((hierarchy) => files.knownChildren(tree.directory(hierarchy, path)) ?? []))],
    processesIn: (path) => [...new Set(machine.controllers.all.flatMap((hierarchy) => pidsIn(files, tree.directory(hierarchy, path))))],
  };
}

function walk(files: CgroupFiles, tree: Tree, hierarchy: Hierarchy, path: CgroupPath, look: (path: CgroupPath) => boolean): void {
  // Look first: that finds out whether a cgroup that was known is still the same one.
  if (!look(path)) return;
  for (const name of files.knownChildren(tree.directory(hierarchy, path)) ?? [])
    if (!isInternal(name)) walk(files, tree, hierarchy, childPath(path, name), look);
}

const names = new WeakMap<readonly FileEntry[], readonly string[]>();

/** What a v2 cgroup has, and what its children have: read before its other files. */
const CENSUS = ["cgroup.controllers", "cgroup.subtree_control"];

/** The files to read for a table, worked out once. */
function namesOf(table: readonly FileEntry[], first: readonly string[] = []): readonly string[] {
  const known = names.get(table) ?? [...first, ...table.map(({ file }) => file.readFrom ?? file.name)];
  names.set(table, known);
  return known;
}

const lastSeen = new WeakMap<readonly (string | undefined)[], ObservedCgroup>();

/** The same texts are the same observation: whoever compared it before need not compare it again. */
function remembered(texts: readonly (string | undefined)[], make: () => ObservedCgroup): ObservedCgroup {
  const known = lastSeen.get(texts) ?? make();
  lastSeen.set(texts, known);
  return known;
}

/**
 * Which files of a table carry a limit, behind so many others. What shall be at the kernel's default, declared or not, is
 * left to events and to the looks at everything.
 */
function filesWithLimits(desired: Pick<DesiredCgroup, "settings"> | undefined, table: readonly FileEntry[], offset: number): readonly boolean[] | undefined {
  if (!desired) return undefined;
  const carries = table.map((entry) => carriesLimit(entry, desired.settings));
  return offset > 0 ? [...Array<boolean>(offset).fill(true), ...carries] : carries;
}

function carriesLimit({ file }: FileEntry, settings: DesiredCgroup["settings"]): boolean {
  for (const { key, value } of settings.get(file.name)?.values() ?? []) if (value !== file.initial(key)) return true;
  return false;
}

const NONE: ReadonlySet<string> = new Set();

/** The files to read of what was written to: some are read back from another file. */
function filesTouched(touch: Touch | undefined, { id }: Hierarchy, table: readonly FileEntry[]): ReadonlySet<string> | undefined {
  const names = touch && (touch.get(id) ?? NONE);
  return names && new Set([...names].map((name) => entryIn(table, name)?.file.readFrom ?? name));
}

/** The texts of one directory's files; undefined when there is no such directory. */
function observeCgroup(
  files: CgroupFiles,
  tree: Tree,
  machine: Machine,
  hierarchy: Hierarchy,
  path: CgroupPath,
  attention: Attention | undefined,
): ObservedCgroup | undefined {
  const directory = tree.directory(hierarchy, path);
  const table = machine.tables.get(hierarchy.id) ?? [];
  const census = hierarchy.version === 2;
  const how = {
    census,
    declared: filesWithLimits(attention?.cgroups.get(path), table, census ? CENSUS.length : 0),
    touched: filesTouched(attention?.touched?.get(path), hierarchy, table),
  };
  if (!census) {
    const texts = files.readAll(directory, namesOf(table), how);
    return texts && remembered(texts, () => ({ texts, controllers: undefined, subtree: undefined }));
  }
  const texts = files.readAll(directory, namesOf(table, CENSUS), how);
  if (texts?.[0] === undefined) return undefined;
  const seen = remembered(texts, () => ({
    texts: texts.slice(CENSUS.length),
    controllers: new Set(texts[0]?.trim().split(" ")),
    subtree: new Set((texts[1] ?? "").trim().split(" ")),
  }));
  const lists = table.flatMap(({ file }, index) => (file.name.startsWith("cpuset.") && (seen.texts[index] ?? "").trim() !== "" ? [file.name] : []));
  if (lists.length === 0 || path === ROOT) return seen;
  const above = tree.directory(hierarchy, parentPath(path));
  return { ...seen, parentEffective: Object.fromEntries(lists.map((name) => [name, (files.read(`${above}/${name}.effective`) ?? "").trim()])) };
}

function observeReplicas(
  { files, tree, records, processes }: Observer,
  machine: Machine,
  cgroups: Observed["cgroups"],
  scope: Scope | undefined,
): ReadonlyMap<string, ObservedReplica> {
  const { core } = machine.controllers;
  const replicas = new Map<string, { attempts: ObservedAttempt[]; members: Map<CgroupPath, readonly number[]>; record: ObservedReplica["record"] }>();
  const replica = (id: string) => {
    let known = replicas.get(id);
    if (!known) {
      known = { attempts: [], members: new Map(), record: records.read(id) };
      replicas.set(id, known);
    }
    return known;
  };
  const ids =
    scope &&
    new Set(
      [...scope.keys()]
        .filter((path) => !isForeign(path))
        .map(nameOf)
        .filter((name) => name.includes("@")),
    );
  if (ids?.size !== 0) for (const attempt of processes.attempts(ids)) replica(attempt.replica).attempts.push(attempt);
  for (const id of ids ?? records.list()) replica(id);
  const places = new Set<CgroupPath>([...(cgroups.get(core.id)?.keys() ?? [])].filter((path) => nameOf(path).includes("@") && !isForeign(path)));
  // A look at one place of a workload is a look at all the places that it may be in: it must not be started twice.
  for (const { attempts, record } of replicas.values())
    for (const path of [...attempts.map(({ meta }) => meta?.path), record?.current?.path]) if (path) places.add(path as CgroupPath);
  const exited = new Set([...replicas.values()].flatMap((known) => known.attempts.flatMap(({ main }) => (main?.exited ? [main.pid] : []))));
  for (const path of places) {
    const pids = pidsBelow(files, tree.directory(core, path))?.filter((pid) => !exited.has(pid));
    if (pids) replica(nameOf(path)).members.set(path, pids);
  }
  return replicas;
}

/** Another cgroup of the same name, after a reboot or in between, is another one. */
function identityOf(files: CgroupFiles, tree: Tree, { controllers, bootId }: Machine, id: string, path: CgroupPath): string | undefined {
  const hierarchy = controllers.all.find((one) => one.id === id);
  const inode = hierarchy && files.inode(tree.directory(hierarchy, path));
  return inode && `${bootId} ${inode}`;
}
