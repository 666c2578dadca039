/** Knows `holdfast capture`: the host as one file. */
import { lstatSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { replaceFile } from "../host/records.ts";
import { capture, encodeSnapshot } from "../host/snapshot.ts";
import { type GlobalOptions, openKernel, placesOf, UsageError } from "./context.ts";
import { note, out, plural } from "./print.ts";

/** Only a new file, or one in the place of a regular one: never of a device, or of what a link names. */
function target(file: string): string {
  const path = resolve(file);
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !there.isFile()) throw new Error(`${file} is no regular file`);
  if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()) throw new Error(`there is no directory ${dirname(path)}`);
  return path;
}

/** `file`: - for standard output. */
export function captureHost(file: string, options: GlobalOptions, version: string): number {
  const host = openKernel(placesOf(options));
  const snapshot = capture(host, version);
  const text = encodeSnapshot(snapshot);
  try {
    if (file === "-") out(text);
    // Names of processes and users are in it: not everybody's business.
    else replaceFile(target(file), `${text}\n`, 0o600);
  } catch (error) {
    throw new UsageError(`capture: ${(error as Error).message}`);
  }
  note(
    `${plural(Object.keys(snapshot.directories).length, "cgroup directory", "cgroup directories")} and ${plural(snapshot.processes.length, "process", "processes")} of ${snapshot.hostname}${file === "-" ? "" : ` in ${file}`}`,
  );
  if (process.geteuid?.() !== 0) note("captured without root: what only root can read is missing in it");
  return 0;
}
