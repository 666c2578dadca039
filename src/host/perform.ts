/** Knows how to carry out each action. Throws a Refusal with file, value, errno and a hint; apply collects it. */
import { basename } from "node:path";
import type { LimitName } from "../api/limits.ts";
import type { FileEntry, Machine } from "../cgroup/machine.ts";
import { refusalHint } from "../cgroup/refusal.ts";
import type { Action, ActionOf, PerAction } from "../plan/action.ts";
import { pidsIn } from "./attempts.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import { oomKills } from "./observe.ts";
import type { Processes } from "./processes.ts";
import type { Records } from "./records.ts";
import type { Tree } from "./tree.ts";

/** An action that the machine refused. */
export class Refusal extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(message: string, code: string, hint: string | undefined) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

export interface Hands {
  readonly files: CgroupFiles;
  readonly tree: Tree;
  readonly processes: Processes;
  readonly records: Records;
}

/** Carries out one action. */
export function perform(hands: Hands, machine: Machine, action: Action): Promise<void> | void {
  const table = performers(hands, machine) as Record<Action["type"], (action: Action) => Promise<void> | void>;
  return table[action.type](action);
}

function refused(what: string, file: string, error: unknown): Refusal {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return new Refusal(`${what}: ${code || message}`, code, refusalHint(basename(file), code));
}

function performers({ files, tree, processes, records }: Hands, machine: Machine): PerAction<Promise<void> | void> {
  const hierarchyOf = (id: string) => {
    const hierarchy = machine.controllers.all.find((candidate) => candidate.id === id);
    if (!hierarchy) throw new Error(`no hierarchy ${id}`);
    return hierarchy;
  };
  const directory = ({ hierarchy, path }: { hierarchy: string; path: string }): string => tree.directory(hierarchyOf(hierarchy), path);
  const write = (file: string, text: string): void => {
    try {
      files.write(file, text);
    } catch (error) {
      throw refused(`writing ${JSON.stringify(text)} to ${file}`, file, error);
    }
  };
  return {
    create: (action) => {
      try {
        const directories = action.path === "" ? tree.wayToRoot(hierarchyOf(action.hierarchy)) : [directory(action)];
        for (const each of directories) files.makeDirectory(each);
      } catch (error) {
        throw refused(`mkdir ${directory(action)}`, "mkdir", error);
      }
    },
    enable: (action) => write(`${directory(action)}/cgroup.subtree_control`, action.controllers.map((controller) => `+${controller}`).join(" ")),
    write: (action) => {
      const file = `${directory(action)}/${action.file}`;
      write(file, action.text);
      readBack(files, file, action, machine.tables.get(action.hierarchy) ?? []);
    },
    place: (action) => {
      const { core } = machine.controllers;
      // Its children belong with it; the core cgroup tells who they are.
      const pids = action.hierarchy === core.id ? [action.pid] : [...new Set([action.pid, ...pidsIn(files, tree.directory(core, action.path))])];
      for (const pid of pids) {
        try {
          files.write(`${directory(action)}/cgroup.procs`, String(pid));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw refused(`moving process ${pid} to ${directory(action)}`, "cgroup.procs", error);
        }
      }
    },
    start: async (action) => {
      const { replica, record } = action;
      const { run, name } = replica.resource;
      const hierarchies = machine.controllers.all
        .filter((hierarchy) => files.children(tree.directory(hierarchy, replica.path)) !== undefined)
        .map(({ id }) => id);
      const startedAt = new Date().toISOString();
      const meta = {
        workload: name,
        ordinal: replica.ordinal,
        path: replica.path,
        revision: replica.revision,
        startedAt,
        oomKills: oomKills(files, tree, machine, replica.path),
        stopSignal: run.stopSignal,
        gracePeriodSeconds: run.gracePeriodSeconds,
      };
      const attempt = await processes.start({ replica: replica.id, workload: name, ordinal: replica.ordinal, run, env: replica.env, meta, hierarchies });
      records.write(replica.id, { ...record, current: { attempt, revision: replica.revision, path: replica.path, startedAt } });
    },
    signal: (action) => {
      processes.signal(action.attempt, action.pid, action.signal);
      records.write(action.replica, action.record);
    },
    kill: (action) => processes.kill(action.path),
    record: (action) => records.write(action.replica, action.record),
    release: (action) => processes.release(action.attempt, action.holder),
    hold: (action) => processes.hold(action.attempt, action.holder),
    void: (action) => processes.void(action.attempt),
    remove: (action) => {
      try {
        files.removeDirectory(directory(action));
      } catch (error) {
        throw refused(`rmdir ${directory(action)}`, "rmdir", error);
      }
    },
    forget: (action) => records.remove(action.replica),
  };
}

/** A write that the kernel took may still read otherwise: then that is said, with both values. */
function readBack(files: CgroupFiles, file: string, action: ActionOf<"write">, table: readonly FileEntry[]): void {
  const entry = table.find((candidate) => candidate.file.name === action.file);
  if (!entry) return;
  const name = entry.file.readFrom ?? entry.file.name;
  const text = files.read(file.slice(0, -action.file.length) + name);
  if (text === undefined) return; // removed meanwhile; the next pass sees it
  const actual = new Map(entry.file.entries(text)).get(action.key) ?? entry.file.initial(action.key);
  if (actual === action.to || (action.knob as LimitName) === "cpuset.cpus" || (action.knob as LimitName) === "cpuset.mems") return;
  throw new Refusal(
    `${file} reads ${JSON.stringify(actual)} after ${JSON.stringify(action.text)} was written`,
    "EUNEXPECTED",
    "something else may be writing the file too",
  );
}
