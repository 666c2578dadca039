/**
 * Knows which processes are new, cheaply and soon: the kernel says in /proc/loadavg which number it gave last (proc(5)), so most of the time one read tells that there is none.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { pidsNow } from "./processTable.ts";

export interface NewProcesses {
  /** Numbers that were given since the last time, of processes that are there. Undefined: which ones is not known, all must be looked at. */
  since(): readonly number[] | undefined;
  close(): void;
}

/** So many numbers are tried one by one; beyond that a list of all is cheaper. */
const MOST_TRIED = 64;

export function newProcesses(): NewProcesses {
  const loadavg = openSync("/proc/loadavg", "r");
  const buffer = Buffer.allocUnsafe(128);
  const lastPid = (): number => {
    const length = readSync(loadavg, buffer, 0, buffer.length, 0);
    return Number(buffer.toString("latin1", buffer.lastIndexOf(" ", length - 1) + 1, length));
  };
  let last = lastPid();
  return {
    since: () => {
      const now = lastPid();
      const before = last;
      last = now;
      if (now === before) return [];
      // The numbers begin again from the front when they are used up.
      if (now < before) return undefined;
      if (now - before > MOST_TRIED) return pidsNow().filter((pid) => pid > before && pid <= now);
      return Array.from({ length: now - before }, (_, index) => before + 1 + index).filter(isProcess);
    },
    close: () => closeSync(loadavg),
  };
}

/** Threads have numbers of their own, and are found in /proc by them. */
function isProcess(pid: number): boolean {
  try {
    return Number(/^Tgid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) === pid;
  } catch {
    return false; // it is gone already
  }
}
