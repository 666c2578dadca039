/** Knows which open files this process was started with, and lets go of them: a workload must not inherit them. */
import { closeSync, readdirSync, readFileSync } from "node:fs";

/** O_CLOEXEC as /proc/PID/fdinfo shows it (proc(5)). */
const CLOEXEC = 0o2000000;

/**
 * Closes what would be passed on: all but the standard streams that has no close-on-exec flag, which everything that Node
 * itself opens has. For programs, at their start: daemon(7) does the same.
 */
export function closeInherited(): void {
  for (const name of listed()) {
    const descriptor = Number(name);
    if (descriptor > 2 && (flagsOf(descriptor) & CLOEXEC) === 0) {
      try {
        closeSync(descriptor);
      } catch {
        // it was that of the listing itself
      }
    }
  }
}

function listed(): string[] {
  try {
    return readdirSync("/proc/self/fd");
  } catch {
    return []; // no Linux: nothing real is started
  }
}

function flagsOf(descriptor: number): number {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"))?.[1];
    return Number.parseInt(flags ?? "", 8) || CLOEXEC;
  } catch {
    return CLOEXEC;
  }
}
