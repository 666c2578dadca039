/** Knows a host that is only a file: everything can be looked at, and nothing done. */
import type { AccountFact, Machine, Mentions } from "../cgroup/machine.ts";
import type { ObservedProcess } from "../plan/hostProcess.ts";
import { ledgerKey } from "../plan/ledger.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import { findCgroups } from "./findCgroups.ts";
import type { Host } from "./host.ts";
import { imageKey } from "./images.ts";
import { observe } from "./observe.ts";
import { probe } from "./probe.ts";
import type { HostSnapshot } from "./snapshot.ts";
import { Tasks } from "./tasks.ts";
import { Tree } from "./tree.ts";
import { NO_WRITERS } from "./writers.ts";

const never = (): never => {
  throw new Error("a snapshot of a host can only be looked at");
};

function filesOf({ files, directories }: HostSnapshot): CgroupFiles {
  const read = (file: string): string | undefined => (Object.hasOwn(files, file) ? files[file] : undefined);
  const children = (directory: string): readonly string[] | undefined => (Object.hasOwn(directories, directory) ? directories[directory]?.children : undefined);
  return {
    read,
    readAll: (directory, names) => (Object.hasOwn(directories, directory) ? names.map((name) => read(`${directory}/${name}`)) : undefined),
    changed: () => [],
    isKept: () => false,
    children,
    knownChildren: children,
    inode: (directory) => (Object.hasOwn(directories, directory) ? directories[directory]?.inode : undefined),
    ...{ write: never, writeAndRead: never, reclaim: never, makeDirectory: never, removeDirectory: never },
    close: () => {},
  };
}

/** A number needs no entry: then it has no group of its own either. */
function accountIn(known: ReadonlyMap<string, AccountFact>, mention: string): AccountFact {
  const [kind = "", name = ""] = mention.split(":");
  const found = known.get(mention) ?? [...known.values()].find((fact) => kind === "user" && "uid" in fact && String(fact.uid) === name);
  if (found) return found;
  if (!/^\d+$/.test(name)) return { problem: `there is no ${kind} ${name}` };
  return kind === "group" ? { gid: Number(name) } : { uid: Number(name), gid: undefined, groups: [] };
}

/** Throws where the snapshot has no cgroups. */
export function openSnapshot(snapshot: HostSnapshot): Host {
  const files = filesOf(snapshot);
  const tree = new Tree(snapshot.root);
  const found = probe(files, snapshot.root, snapshot.mountinfo);
  if (!found) throw new Error("the snapshot has no cgroups");
  const base = { ...found, ...snapshot.base, uid: 0, noMembers: undefined, noGoverning: undefined };
  const [accounts, devices] = [new Map(snapshot.accounts), new Map(snapshot.devices)];
  const records = new Map(snapshot.records);
  const processes = new Map(
    snapshot.processes.map(({ exe, facts, ...process }): [number, ObservedProcess] => [
      process.pid,
      { ...process, exe: () => exe, commandLine: () => facts.commandLine ?? "" },
    ]),
  );
  const factsOf = new Map(snapshot.processes.map(({ pid, facts }) => [pid, facts]));
  const ledger = new Map(snapshot.ledger.map((entry) => [ledgerKey(entry), entry]));
  const memberships = new Map(snapshot.memberships.map((record) => [record.pid, record]));
  const machine = (mentions: Mentions): Machine => ({
    ...base,
    governed: new Map([...mentions.governed].map((glob) => [glob, findCgroups(base.controllers, tree.root, glob, (directory) => files.children(directory))])),
    devices: new Map(
      [...mentions.devices].map((name) => [name, devices.get(name) ?? { problem: `expected a disk, and ${name} is none of those that were captured` }]),
    ),
    envFiles: new Map([...mentions.envFiles].map((file) => [file, { problem: `${file} was not captured: it may hold secrets` }])),
    accounts: new Map([...mentions.accounts].map((mention) => [mention, accountIn(accounts, mention)])),
    confinement: mentions.seccompProfiles && snapshot.confinement,
  });
  const images: Host["images"] = {
    state: (wanted) => ({ key: imageKey(wanted), ready: snapshot.images.includes(imageKey(wanted)) }),
    list: () => snapshot.images,
    ...{ prepare: never, clean: never, forgive: never, remove: never },
  };
  const table = { look: () => processes, known: () => processes, touch: () => {}, cgroupsOf: (pid: number) => processes.get(pid)?.cgroups };
  const members = { all: () => memberships, add: never, remove: never, close: () => {} };
  const remembered: Host["records"] = {
    list: () => [...records.keys()],
    paths: () => [],
    read: (replica) => records.get(replica),
    trouble: () => undefined,
    lost: () => false,
    ...{ write: never, remove: never, restore: never },
  };
  const attempts: Host["processes"]["attempts"] = (replicas) => snapshot.attempts.filter(({ replica }) => !replicas || replicas.has(replica));
  const doing: Host["processes"] = {
    attempts,
    ...{ prepare: never, start: never, signal: never, handle: never, signalAll: never, kill: never, release: never, hold: never, void: never, sweep: never },
  };
  const tasks = new Tasks();
  const entries = { all: () => ledger, put: never, drop: never, trouble: () => undefined };
  // Nothing of the machine that looks is asked.
  const observer = {
    files,
    tree,
    records: remembered,
    processes: doing,
    tasks,
    images,
    table,
    members,
    ledger: entries,
    controller: () => undefined,
    isDoomed: () => false,
    pidIn: () => undefined,
  };
  const none = "/nonexistent";
  return {
    ...{ base, tree, files, processes: doing, records: remembered, tasks, images, table, members, ledger: entries, machine },
    name: snapshot.hostname,
    writers: NO_WRITERS,
    options: { root: snapshot.root, runDirectory: none, logDirectory: none, imageDirectory: none },
    inspect: (pid, comm, limited, inRootCgroup) => {
      const facts = factsOf.get(pid);
      if (!facts) throw new Error(`there is no process ${pid} (${comm}) in the snapshot`);
      return { ...facts, limited, inRootCgroup };
    },
    observe: (at, scope, attention) => observe(observer, at, scope, attention),
    controller: () => undefined,
    close: () => {},
    ...{ kernelLog: never, perform: never, lock: never },
  };
}
