/** Knows whether processes still run, cheaply: one read of a file that is kept open for each. */
import { closeSync, openSync, readSync } from "node:fs";

export interface EndWatch {
  /** Watches these processes, by a name of the caller's, and no others. */
  sync(pids: ReadonlyMap<string, number>): void;
  /** The names of those that do not run any more; each is told once. */
  ended(): readonly string[];
}

interface Watched {
  readonly pid: number;
  /** Undefined once its end was told. */
  descriptor: number | undefined;
}

const buffer = Buffer.allocUnsafe(256);

/** A zombie, or nothing at all: /proc/PID/stat of a process that is gone cannot be read (proc(5)), whoever has its number now. */
function hasEnded(descriptor: number): boolean {
  try {
    const text = buffer.toString("latin1", 0, readSync(descriptor, buffer, 0, buffer.length, 0));
    return /^[ZX]/.test(text.slice(text.lastIndexOf(") ") + 2));
  } catch {
    return true;
  }
}

export function endWatch(): EndWatch {
  const watched = new Map<string, Watched>();
  const forget = (name: string): void => {
    const descriptor = watched.get(name)?.descriptor;
    if (descriptor !== undefined) closeSync(descriptor);
    watched.delete(name);
  };
  return {
    sync: (pids) => {
      for (const [name, { pid }] of watched) if (pids.get(name) !== pid) forget(name);
      for (const [name, pid] of pids) {
        if (watched.has(name)) continue;
        try {
          watched.set(name, { pid, descriptor: openSync(`/proc/${pid}/stat`, "r") });
        } catch {
          // It has ended already: whoever looks at it now sees that.
        }
      }
    },
    ended: () => {
      const names: string[] = [];
      for (const [name, entry] of watched) {
        if (entry.descriptor === undefined || !hasEnded(entry.descriptor)) continue;
        closeSync(entry.descriptor);
        entry.descriptor = undefined;
        names.push(name);
      }
      return names;
    },
  };
}
