/** Knows where a workload's output goes: plain files opened for appending, which outlive the controller. */
import { constants, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { RunSpec } from "../api/resource.ts";

/** The live log file of one replica. */
export function logFile(logDirectory: string, workload: string, ordinal: number, logs: RunSpec["logs"]): string {
  return join(logs.directory ?? join(logDirectory, workload), `${workload}.${ordinal}.log`);
}

/**
 * Opens a log for a process that is about to start. A file over its size is put aside first (`.1`, `.2`, …): nobody
 * writes to it at that moment, so no line is lost. Mode 0640: output may hold what is not everybody's business.
 */
export function openLog(file: string, { maxBytes, maxFiles }: RunSpec["logs"]): number {
  makePath(dirname(file));
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > maxBytes) {
    rmSync(`${file}.${maxFiles - 1}`, { force: true });
    for (let index = maxFiles - 2; index >= 1; index--) {
      if (statSync(`${file}.${index}`, { throwIfNoEntry: false })) renameSync(`${file}.${index}`, `${file}.${index + 1}`);
    }
    if (maxFiles > 1) renameSync(file, `${file}.1`);
    else rmSync(file);
  }
  return openSync(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o640);
}

/** mkdir -p, a directory at a time: Node's own never returns below /proc. */
function makePath(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })) return;
  makePath(dirname(directory));
  mkdirSync(directory, { mode: 0o750 });
}
