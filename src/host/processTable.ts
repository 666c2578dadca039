/** Knows the processes of the host: all of them at a look, and between two looks those that may be other than they were. */
import { readdirSync, statSync } from "node:fs";
import { printable } from "../api/printable.ts";
import { type Controllers, UNIFIED } from "../cgroup/hierarchy.ts";
import type { ObservedProcess } from "../plan/hostProcess.ts";
import { linkIn } from "./optional.ts";
import { commandLineIn, hasEnded, type ProcessStat, parseCgroups, parseStat } from "./procfs.ts";
import { Reader } from "./reader.ts";

export interface ProcessTable {
  /** Reads all anew. */
  look(): ReadonlyMap<number, ObservedProcess>;
  /** What is known, with what was touched read anew. */
  known(): ReadonlyMap<number, ObservedProcess>;
  /** Its cgroups as they are this moment; undefined where it is gone. */
  cgroupsOf(pid: number): ObservedProcess["cgroups"] | undefined;
  /** That process may be other than it was, or be new, or gone. */
  touch(pid: number): void;
}

/** A host without processes. */
export const EMPTY_TABLE: ProcessTable = { look: () => new Map(), known: () => new Map(), touch: () => {}, cgroupsOf: () => undefined };

export function processTable({ all }: Controllers): ProcessTable {
  const reader = new Reader();
  const prefixes = new Map(all.map(({ id, outer }) => [id, outer]));
  let table: Map<number, Read> | undefined;
  const touched = new Set<number>();
  const look = (): Map<number, Read> => {
    touched.clear();
    const before = table;
    table = new Map();
    for (const pid of pidsNow()) refresh(table, pid, before?.get(pid));
    return table;
  };
  /** What reads as before is the same observation: what was worked out of it holds. */
  const refresh = (known: Map<number, Read>, pid: number, before: Read | undefined): void => {
    const process = readProcess(reader, pid, prefixes);
    if (process) known.set(pid, before?.isLike(process) ? before : process);
    else known.delete(pid);
  };
  return {
    look,
    known: () => {
      if (!table) return look();
      for (const pid of touched) refresh(table, pid, table.get(pid));
      touched.clear();
      return table;
    },
    touch: (pid) => void touched.add(pid),
    cgroupsOf: (pid) => cgroupsIn(reader, pid, prefixes),
  };
}

/** The numbers of all processes. */
export const pidsNow = (): number[] => readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));

/** A process, and whether another reading says the same: also of what had to be looked up. */
interface Read extends ObservedProcess {
  readonly isLike: (other: ObservedProcess) => boolean;
}

/** Undefined for what is over, of the kernel's, or no process but one of its threads. */
function readProcess(reader: Reader, pid: number, prefixes: ReadonlyMap<string, string>): Read | undefined {
  try {
    const stat = readStat(reader, pid);
    if (!stat || stat.kernel || stat.exiting || hasEnded(stat)) return undefined;
    const { startTicks: start, parent, comm } = stat;
    // The directory itself always belongs to the effective user (proc(5); files in it, where a process is not dumpable, to root).
    const { uid, gid } = statSync(`/proc/${pid}`);
    const cgroups = cgroupsIn(reader, pid, prefixes) ?? new Map<string, string>();
    const exe = once(() => linkIn(`/proc/${pid}/exe`));
    const commandLine = once(() => commandLineIn(pid) ?? "");
    const process = { pid, start, parent, comm: printable(decoded(comm)), uid, gid, cgroups, exe, commandLine };
    const isLike = (other: ObservedProcess): boolean =>
      start === other.start &&
      parent === other.parent &&
      process.comm === other.comm &&
      uid === other.uid &&
      gid === other.gid &&
      cgroups.size === other.cgroups.size &&
      [...cgroups].every(([id, path]) => other.cgroups.get(id) === path) &&
      (!exe.isKnown() || exe() === other.exe()) &&
      (!commandLine.isKnown() || commandLine() === other.commandLine());
    return { ...process, isLike };
  } catch {
    return undefined; // it is gone
  }
}

/** By hierarchy, each as seen from its mount. */
function cgroupsIn(reader: Reader, pid: number, prefixes: ReadonlyMap<string, string>): Map<string, string> | undefined {
  const text = reader.read(`/proc/${pid}/cgroup`);
  if (text === undefined) return undefined;
  const cgroups = new Map<string, string>();
  for (const [controllers, path] of parseCgroups(decoded(text))) {
    const id = controllers === "" ? UNIFIED : controllers;
    const prefix = prefixes.get(id) ?? "";
    cgroups.set(id, prefix !== "" && `${path}/`.startsWith(`${prefix}/`) ? path.slice(prefix.length) || "/" : path);
  }
  return cgroups;
}

/** What was read byte by byte. */
const decoded = (text: string): string => (/[\x80-\xff]/.test(text) ? Buffer.from(text, "latin1").toString("utf8") : text);

const readStat = (reader: Reader, pid: number): ProcessStat | undefined => parseStat(reader.read(`/proc/${pid}/stat`) ?? "");

function once<T>(read: () => T): (() => T) & { readonly isKnown: () => boolean } {
  let known: { readonly value: T } | undefined;
  const value = (): T => {
    known ??= { value: read() };
    return known.value;
  };
  return Object.assign(value, { isKnown: () => known !== undefined });
}
