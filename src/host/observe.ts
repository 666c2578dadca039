/** Knows how to see what is there: every cgroup below the root in every hierarchy, and the processes of workloads. */
import type { Hierarchy } from "../cgroup/hierarchy.ts";
import type { Machine } from "../cgroup/machine.ts";
import { type CgroupPath, childPath, isInternal, parentPath, ROOT } from "../cgroup/path.ts";
import type { Observed, ObservedAttempt, ObservedCgroup, ObservedReplica } from "../plan/observed.ts";
import { pidsIn } from "./attempts.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import type { Processes } from "./processes.ts";
import type { Records } from "./records.ts";
import type { Tree } from "./tree.ts";

export interface Observer {
  readonly files: CgroupFiles;
  readonly tree: Tree;
  readonly records: Records;
  readonly processes: Processes;
}

/** Looks at the whole tree, or at the cgroups in `scope` alone. */
export function observe({ files, tree, records, processes }: Observer, machine: Machine, scope?: ReadonlySet<CgroupPath>): Observed {
  const cgroups = new Map<string, Map<CgroupPath, ObservedCgroup>>();
  for (const hierarchy of machine.controllers.all) {
    const found = new Map<CgroupPath, ObservedCgroup>();
    cgroups.set(hierarchy.id, found);
    const look = (path: CgroupPath): boolean => {
      const seen = observeCgroup(files, tree, machine, hierarchy, path);
      if (seen) found.set(path, seen);
      return seen !== undefined;
    };
    if (scope) for (const path of scope) look(path);
    else walk(files, tree, hierarchy, ROOT, look);
  }
  return {
    machine,
    cgroups,
    replicas: observeReplicas({ files, tree, records, processes }, machine, cgroups, scope),
    oomKills: (path) => oomKills(files, tree, machine, path),
    memoryCurrent: (path) => numberIn(files, tree, machine, path, "memory", "memory.current"),
    processesIn: (path) => [...new Set(machine.controllers.all.flatMap((hierarchy) => pidsIn(files, tree.directory(hierarchy, path))))],
  };
}

function walk(files: CgroupFiles, tree: Tree, hierarchy: Hierarchy, path: CgroupPath, look: (path: CgroupPath) => boolean): void {
  const children = files.children(tree.directory(hierarchy, path));
  if (children === undefined || !look(path)) return;
  for (const name of children) if (!isInternal(name)) walk(files, tree, hierarchy, childPath(path, name), look);
}

/** The texts of one directory's files; undefined when there is no such directory. */
function observeCgroup(files: CgroupFiles, tree: Tree, machine: Machine, hierarchy: Hierarchy, path: CgroupPath): ObservedCgroup | undefined {
  const directory = tree.directory(hierarchy, path);
  const table = machine.tables.get(hierarchy.id) ?? [];
  if (hierarchy.version === 1) {
    const texts = table.map(({ file }) => files.read(`${directory}/${file.readFrom ?? file.name}`));
    // Where a machine lacks every file of the table (or the table is empty), the directory still exists.
    const exists = texts.some((text) => text !== undefined) || files.children(directory) !== undefined;
    return exists ? { texts, controllers: undefined, subtree: undefined } : undefined;
  }
  const list = files.read(`${directory}/cgroup.controllers`);
  if (list === undefined) return undefined;
  const controllers = new Set(list.trim().split(" "));
  const subtree = new Set((files.read(`${directory}/cgroup.subtree_control`) ?? "").trim().split(" "));
  const texts = table.map(({ file, controller }) =>
    controller === "" || controllers.has(controller) ? files.read(`${directory}/${file.readFrom ?? file.name}`) : undefined,
  );
  const lists = table.flatMap(({ file }, index) => (file.name.startsWith("cpuset.") && (texts[index] ?? "").trim() !== "" ? [file.name] : []));
  if (lists.length === 0 || path === ROOT) return { texts, controllers, subtree };
  const above = tree.directory(hierarchy, parentPath(path));
  return {
    texts,
    controllers,
    subtree,
    parentEffective: Object.fromEntries(lists.map((name) => [name, (files.read(`${above}/${name}.effective`) ?? "").trim()])),
  };
}

function observeReplicas(
  { files, tree, records, processes }: Observer,
  machine: Machine,
  cgroups: Observed["cgroups"],
  scope: ReadonlySet<CgroupPath> | undefined,
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
  const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
  const ids = scope && new Set([...scope].map(nameOf).filter((name) => name.includes("@")));
  if (ids?.size !== 0) for (const attempt of processes.attempts(ids && ((id) => ids.has(id)))) replica(attempt.replica).attempts.push(attempt);
  const exited = new Set([...replicas.values()].flatMap((known) => known.attempts.flatMap(({ main }) => (main?.exited ? [main.pid] : []))));
  for (const path of cgroups.get(core.id)?.keys() ?? []) {
    const name = nameOf(path);
    if (name.includes("@"))
      replica(name).members.set(
        path,
        pidsIn(files, tree.directory(core, path)).filter((pid) => !exited.has(pid)),
      );
  }
  for (const id of ids ?? records.list()) replica(id);
  return replicas;
}

function numberIn(files: CgroupFiles, tree: Tree, machine: Machine, path: CgroupPath, controller: string, file: string): number | undefined {
  const hierarchy = machine.controllers.all.find(({ offered }) => offered.has(controller));
  const text = hierarchy && files.read(`${tree.directory(hierarchy, path)}/${file}`);
  return text === undefined ? undefined : Number(text);
}

/** v1: the line oom_kill of memory.oom_control; v2: of memory.events. */
export function oomKills(files: CgroupFiles, tree: Tree, machine: Machine, path: CgroupPath): number {
  const hierarchy = machine.controllers.all.find(({ offered }) => offered.has("memory"));
  if (!hierarchy) return 0;
  const text = files.read(`${tree.directory(hierarchy, path)}/${hierarchy.version === 1 ? "memory.oom_control" : "memory.events"}`);
  return Number(/^oom_kill (\d+)$/m.exec(text ?? "")?.[1] ?? 0);
}
