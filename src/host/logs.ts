/** Knows where a workload's output goes: plain files opened for appending, which outlive the controller. */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Logs } from "../api/resource.ts";
import { addMark, layoutOf, noteCut, type Piece, tidyIndex } from "./logIndex.ts";
import { isBeingRotated, putAside, settle } from "./rotate.ts";

/** The live log file of one replica. */
export function logFile(logDirectory: string, workload: string, ordinal: number, logs: Logs): string {
  return join(logs.directory ?? join(logDirectory, workload), `${workload}.${ordinal}.log`);
}

/** What a process that is about to start appends its output to. `user`: the log is that user's, who has opened it already. */
export function openOutput(file: string, logs: Logs, user?: { readonly uid: number }): number {
  if (logs.journald) return openSync("/dev/null", "w");
  return user ? openTheirs(file, user.uid) : openLog(file, logs);
}

/** Whatever way the name leads: a file that the user could write to anyway, and none that has another name too. */
function openTheirs(file: string, uid: number): number {
  const descriptor = openSync(file, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stat = fstatSync(descriptor);
  // Where the name leads for us, and not through /proc/PID/root to what that user has mounted for itself.
  const directory = realpathSync(dirname(file));
  const here = readlinkSync(`/proc/self/fd/${descriptor}`) === join(directory, basename(file)) && statSync(directory).dev === stat.dev;
  if (here && stat.isFile() && stat.uid === uid && stat.nlink === 1) return descriptor;
  closeSync(descriptor);
  throw new Error(`the log ${file} is no file of user ${uid}`);
}

/**
 * Opens a log for a process that is about to start, and notes where it begins. A file over its size is put aside first (`.1`,
 * `.2`, …): nobody writes to it at that moment. Mode 0640: output may hold what is not everybody's business.
 */
export function openLog(file: string, { maxBytes, maxFiles }: Logs): number {
  makePath(dirname(file));
  // A file that begins with a hole is put aside by whoever looks after logs.
  const isLarge = (piece: Piece | undefined): piece is Piece =>
    piece !== undefined && piece.offset === 0 && (piece.to - piece.from > maxBytes || isForeign(file));
  const layout = layoutOf(file);
  if (!isBeingRotated(file) && !layout.begun) noteCut(file, layout);
  let live = layout.pieces.at(-1);
  if (isLarge(live) && !isBeingRotated(file) && settle(file, maxFiles)) {
    // What was ended there may have taken its beginning out.
    live = layoutOf(file).pieces.at(-1);
    if (isLarge(live)) {
      putAside(file, file, maxFiles);
      addMark(file, { what: "base", time: Date.now(), position: live.to, offset: 0 });
      tidyIndex(file);
    }
  }
  const descriptor = openSync(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o640);
  const position = live?.to ?? 0;
  addMark(file, { what: "start", time: Date.now(), position, offset: 0 });
  return descriptor;
}

/** Of another user, and so nothing to append to: the runtime gives logs away for a moment, and may be killed in that. */
function isForeign(file: string): boolean {
  const [user, owner] = [process.geteuid?.(), statSync(file, { throwIfNoEntry: false })?.uid];
  return user !== 0 && owner !== undefined && owner !== user;
}

/** mkdir -p, a directory at a time: Node's own never returns below /proc. */
export function makePath(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })) return;
  makePath(dirname(directory));
  mkdirSync(directory, { mode: 0o750 });
}
