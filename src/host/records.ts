/** Knows the run directory: small files, each replaced atomically, that a controller leaves to the next one. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { CgroupPath } from "../cgroup/path.ts";
import type { ReplicaRecord } from "../plan/observed.ts";
import { textIn } from "./optional.ts";

/** Writes a file so that a reader (or a crash) finds the old text or the new one, never a part. */
export function replaceFile(file: string, text: string, mode = 0o644): void {
  const temporary = `${file}.${process.pid}.tmp`;
  // A new file, whatever somebody may have put there under its name.
  const write = (): void => writeFileSync(temporary, text, { mode, flag: "wx" });
  try {
    try {
      write();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") mkdirSync(dirname(file), { recursive: true });
      else if (code === "EEXIST") rmSync(temporary);
      else throw error;
      write();
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The same, of what is worked out piece by piece: whatever else there is to do comes in between. By one at a time. */
export async function replaceFileInPieces(file: string, pieces: Iterable<string>, mode: number): Promise<void> {
  const temporary = `${file}.tmp`;
  await mkdir(dirname(file), { recursive: true });
  await rm(temporary, { force: true });
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      for (const piece of pieces) await handle.appendFile(piece);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A JSON file; undefined when it is missing or not JSON (then it is rebuilt from the machine). */
export const readJson = (file: string): unknown => parseJson(textOf(file));

/** The value of a line of JSON; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The text of a file; empty where there is none. */
export const textOf = (file: string): string => textIn(file) ?? "";

/** What is remembered of each replica. */
export interface Records {
  list(): readonly string[];
  /** Cgroups of replicas that were started, declared or not. */
  paths(): readonly CgroupPath[];
  read(replica: string): ReplicaRecord | undefined;
  write(replica: string, record: ReplicaRecord): void;
  remove(replica: string): void;
  /** Whether somebody took them away. */
  lost(): boolean;
  /** Writes all again when somebody took the run directory away. */
  restore(): void;
  /** Why the last record could not be written to its file. */
  trouble(): string | undefined;
}

/**
 * Records as files `RUN/replicas/web@0.json`. They belong to one boot: after another the workloads are gone and start
 * afresh. Only one controller writes them, so what was read or written once is known.
 */
export function fileRecords(directory: string, bootId: string): Records {
  const folder = join(directory, "replicas");
  let trouble: string | undefined;
  let read: Map<string, ReplicaRecord> | undefined;
  // Not before they are asked for: by then the controller has its lock, and nobody else writes them.
  const known = (): Map<string, ReplicaRecord> => {
    if (read) return read;
    read = new Map();
    for (const name of names(folder)) {
      const stored = readJson(join(folder, `${name}.json`)) as { bootId?: string; record?: ReplicaRecord } | undefined;
      if (stored?.bootId === bootId && stored.record) read.set(name, stored.record);
    }
    return read;
  };
  let tidied = false;
  const keep = (replica: string, record: ReplicaRecord): void => {
    if (!tidied) takeAwayUnfinished(folder);
    tidied = true;
    try {
      replaceFile(join(folder, `${replica}.json`), `${JSON.stringify({ bootId, record })}\n`, 0o640);
      trouble = undefined;
      home ??= inode(folder);
    } catch (error) {
      trouble = (error as Error).message;
    }
  };
  let home = inode(folder);
  return {
    list: () => [...known().keys()],
    paths: () => [...known().values()].flatMap(({ current }) => (current?.path as CgroupPath | undefined) ?? []),
    read: (replica) => known().get(replica),
    write: (replica, record) => {
      // Known first: where the file cannot be written (a full disk), this controller at least goes on by it.
      known().set(replica, record);
      keep(replica, record);
    },
    trouble: () => trouble,
    lost: () => inode(folder) !== home,
    restore: () => {
      const there = inode(folder);
      if (there === undefined || there !== home) for (const [replica, record] of known()) keep(replica, record);
      home = inode(folder);
    },
    remove: (replica) => {
      rmSync(join(folder, `${replica}.json`), { force: true });
      known().delete(replica);
    },
  };
}

const inode = (folder: string): number | undefined => statSync(folder, { throwIfNoEntry: false })?.ino;

/** Takes away what controllers were writing into a directory when they were killed. */
export function takeAwayUnfinished(folder: string): void {
  for (const name of files(folder)) {
    const pid = /\.(\d+)\.tmp$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(folder, name), { force: true });
  }
}

const names = (folder: string): string[] => files(folder).flatMap((name) => (name.endsWith(".json") ? [name.slice(0, -".json".length)] : []));

function files(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
