/** Knows how to carry out each action. Throws a Refusal with file, value, errno and a hint; apply collects it. */
import { basename } from "node:path";
import { entryIn, type FileEntry } from "../cgroup/machine.ts";
import { refusalHint } from "../cgroup/refusal.ts";
import type { Action, ActionOf, PerAction } from "../plan/action.ts";
import type { ReplicaRecord } from "../plan/observed.ts";
import { currentOfStart, metaOf } from "../plan/replica.ts";
import { newAttempt, pidsIn } from "./attempts.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import type { ImageStore } from "./images.ts";
import type { Ledger } from "./ledger.ts";
import type { MemberRecords } from "./memberRecords.ts";
import { memberPerformers } from "./members.ts";
import { oomKills } from "./memory.ts";
import type { Base } from "./probe.ts";
import type { Processes } from "./processes.ts";
import type { ProcessTable } from "./processTable.ts";
import type { Records } from "./records.ts";
import { setUnitProperties } from "./systemd.ts";
import type { Tasks } from "./tasks.ts";
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
  readonly tasks: Tasks;
  readonly images: ImageStore;
  readonly table: ProcessTable;
  readonly members: MemberRecords;
  readonly ledger: Ledger;
}

/** The performers of one machine, made once. */
export function performer(hands: Hands, base: Base): (action: Action) => Promise<void> | void {
  const table = performers(hands, base) as Record<Action["type"], (action: Action) => Promise<void> | void>;
  return (action) => table[action.type](action);
}

function refused(what: string, file: string, error: unknown): Refusal {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return new Refusal(`${what}: ${code || message}`, code, refusalHint(basename(file), code));
}

function performers(hands: Hands, base: Base): PerAction<Promise<void> | void> {
  const { files, tree, processes, records, tasks, images, ledger } = hands;
  const byId = new Map(base.controllers.all.map((hierarchy) => [hierarchy.id, hierarchy]));
  const hierarchyOf = (id: string) => {
    const hierarchy = byId.get(id);
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
  /** One write(2), and what the file reads then. */
  const writeValue = (action: ActionOf<"write">): void => {
    const file = `${directory(action)}/${action.file}`;
    const entry = entryIn(base.tables.get(action.hierarchy) ?? [], action.file);
    const elsewhere = entry?.file.readFrom;
    let text: string | undefined;
    try {
      if (elsewhere === undefined) text = files.writeAndRead(file, action.text);
      else {
        files.write(file, action.text);
        text = files.read(`${directory(action)}/${elsewhere}`);
      }
    } catch (error) {
      throw refused(`writing ${JSON.stringify(action.text)} to ${file}`, file, error);
    }
    if (entry && text !== undefined) checkReadBack(file, action, entry, text);
  };
  /** What somebody else has written for us. */
  const readBack = (action: ActionOf<"write">): void => {
    const file = `${directory(action)}/${action.file}`;
    const entry = entryIn(base.tables.get(action.hierarchy) ?? [], action.file);
    const text = files.read(file);
    if (entry && text !== undefined) checkReadBack(file, { ...action, text: action.governing?.assignments?.join(" ") ?? action.text }, entry, text);
  };
  const remember = ({ replica, record }: { replica: string; record: ReplicaRecord }): void => records.write(replica, record);
  /** Recorded first: a controller that ends in between leaves to the next one that it may not have been asked. */
  const ask = async ({ replica, record }: ActionOf<"signal" | "signalAll">, send: () => Promise<void> | void): Promise<void> => {
    records.write(replica, { ...record, ...(record.stopping ? { stopping: { ...record.stopping, unsent: true } } : {}) });
    try {
      await send();
    } finally {
      records.write(replica, record);
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
    reclaim: (action) => files.reclaim(directory(action), action.bytes),
    ledger: ({ entry, keep }) => (keep ? ledger.put(keep) : ledger.drop(entry)),
    write: (action) => {
      const { governing } = action;
      // What was found is kept first: a controller that ends in between leaves nothing of which nobody knows what it was.
      if (governing && !governing.over) ledger.put(governing.entry);
      const settle = (): void => {
        if (governing?.over) ledger.drop(governing.entry);
      };
      if (!governing?.unit || !governing.assignments) {
        writeValue(action);
        return settle();
      }
      return setUnitProperties(governing.unit, governing.assignments).then(() => {
        readBack(action);
        settle();
      });
    },
    place: (action) => {
      const { core } = base.controllers;
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
      const { replica, before, record, hierarchies } = action;
      const startedAt = new Date().toISOString();
      const attempt = newAttempt(replica.id);
      try {
        const missing = hierarchies.find((id) => files.children(tree.directory(hierarchyOf(id), replica.path)) === undefined);
        if (missing !== undefined) throw new Refusal(`its cgroup is missing in ${missing}`, "ENOENT", undefined);
        const started = { ...record, current: currentOfStart(attempt, startedAt, replica) };
        // Recorded first: a controller that ends in between leaves no start that the next one knows nothing of.
        records.write(replica.id, { ...started, before });
        await processes.start({ attempt, replica, meta: metaOf(replica, startedAt, oomKills(files, tree, base, replica.path)), hierarchies });
        records.write(replica.id, started);
      } catch (error) {
        // Too slow, and not gone either: what it comes to is for the next look.
        if (processes.attempts(new Set([replica.id])).some(({ id }) => id === attempt)) throw error;
        records.write(replica.id, { ...before, ...action.refused, failed: { revision: replica.revision, message: (error as Error).message } });
        throw error;
      }
    },
    signal: (action) => ask(action, () => processes.signal(action.attempt, action.pid, action.signal)),
    signalAll: (action) => ask(action, () => processes.signalAll(action.path, action.signal)),
    hook: ({ key, path, replica, target, handler, timeout, record }) => {
      if (record) records.write(replica, record);
      tasks.begin(key, path, processes.handle(target, handler, timeout));
    },
    unpack: ({ key, path, wanted }) =>
      tasks.begin(
        key,
        path,
        images.prepare(wanted).then(() => ({ ok: true }) as const),
      ),
    complain: () => {},
    health: remember,
    conclude: remember,
    note: remember,
    adopt: remember,
    ...memberPerformers(hands, base, refused),
    spare: remember,
    kill: (action) => processes.kill(action.path),
    record: remember,
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

/** Lists may be narrowed by the kernel to what there is; everything else must read as it was written. */
function checkReadBack(file: string, { key, to, text: written }: ActionOf<"write">, { file: { entries, initial, name } }: FileEntry, text: string): void {
  const actual = entries(text).find(([there]) => there === key)?.[1] ?? initial(key);
  if (actual === to || name.startsWith("cpuset.")) return;
  throw new Refusal(
    `${file} reads ${JSON.stringify(actual)} after ${JSON.stringify(written)} was written`,
    "EUNEXPECTED",
    "something else may be writing the file too",
  );
}
