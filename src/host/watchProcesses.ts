/** Knows whether processes are as they were, cheaply: reads of files in /proc that are kept open, one for each thing that matters. */
import { closeSync, openSync, readSync } from "node:fs";
import { hasEnded, parseStat } from "./procfs.ts";

export interface ProcessWatch {
  /** Watches these main processes, by a name of the caller's, and no others. Returns the names that are watched only now. */
  sync(pids: ReadonlyMap<string, number>): readonly string[];
  /** How many are watched. */
  size(): number;
  /** Whether that main process is watched. */
  watches(name: string): boolean;
  /** The names of those that do not run any more; each is told once. */
  ended(): readonly string[];
  /** The names of those that have other cgroups than before, or whose parent is stopped now and was not, or the other way round. */
  different(): readonly string[];
}

interface Watched {
  readonly pid: number;
  /** Of the process, of its parent, and its cgroups; undefined where there is none. */
  readonly stat: number;
  readonly parent: number | undefined;
  readonly cgroup: number | undefined;
  /** Whether the parent was stopped, as a holder is, and what the cgroups were. */
  readonly parentStopped: boolean;
  readonly cgroups: string;
  told: boolean;
}

const buffer = Buffer.allocUnsafe(4096);

/** Reads what is behind a descriptor into the buffer; 0 once its process is gone, whoever has its number now (proc(5): ESRCH). */
function read(descriptor: number): number {
  try {
    return readSync(descriptor, buffer, 0, buffer.length, 0);
  } catch {
    return 0;
  }
}

const textOf = (descriptor: number | undefined): string => (descriptor === undefined ? "" : buffer.toString("latin1", 0, read(descriptor)));

/** Any other state than that is only what it happens to do at the moment. */
const isStopped = (stat: number | undefined): boolean => parseStat(textOf(stat))?.state === "T";

function open(file: string): number | undefined {
  try {
    return openSync(file, "r");
  } catch {
    return undefined;
  }
}

/** Asked all day long, and so without a text: the state stands behind the last bracket. */
function isOver({ stat }: Watched): boolean {
  const length = read(stat);
  if (length === 0) return true;
  const state = String.fromCharCode(buffer[buffer.lastIndexOf(BRACKET, length - 1) + 2] ?? 0);
  return (state === "Z" || state === "X") && hasEnded(parseStat(textOf(stat)));
}

const BRACKET = ")".charCodeAt(0);

function watch(pid: number): Watched | undefined {
  const stat = open(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const above = parseStat(textOf(stat))?.parent ?? 0;
  const parent = above > 1 ? open(`/proc/${above}/stat`) : undefined;
  const cgroup = open(`/proc/${pid}/cgroup`);
  return { pid, stat, parent, cgroup, parentStopped: isStopped(parent), cgroups: textOf(cgroup), told: false };
}

export function watchProcesses(): ProcessWatch {
  const watched = new Map<string, Watched>();
  const forget = (name: string, { stat, parent, cgroup }: Watched): void => {
    for (const descriptor of [stat, parent, cgroup]) if (descriptor !== undefined) closeSync(descriptor);
    watched.delete(name);
  };
  const isDifferent = (entry: Watched): boolean => textOf(entry.cgroup) !== entry.cgroups || isStopped(entry.parent) !== entry.parentStopped;
  return {
    sync: (pids) => {
      const fresh: string[] = [];
      for (const [name, entry] of watched) if (pids.get(name) !== entry.pid) forget(name, entry);
      for (const [name, pid] of pids) {
        if (watched.has(name)) continue;
        const entry = watch(pid);
        if (!entry) continue;
        watched.set(name, entry);
        fresh.push(name);
      }
      return fresh;
    },
    size: () => watched.size,
    watches: (name) => watched.has(name),
    ended: () => {
      const names: string[] = [];
      for (const [name, entry] of watched) {
        if (entry.told || !isOver(entry)) continue;
        entry.told = true;
        names.push(name);
      }
      return names;
    },
    different: () => {
      const names: string[] = [];
      for (const [name, entry] of watched) {
        if (!isDifferent(entry)) continue;
        names.push(name);
        // As it is now is how it is compared from here on.
        forget(name, entry);
      }
      return names;
    },
  };
}
