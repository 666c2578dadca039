/**
 * Knows how to put the beginning of a log aside while somebody appends to it, without losing a byte: copy it, then let the file
 * system take it out of the live file (fallocate(2): collapse a range, or else punch a hole). The writer's descriptor appends,
 * so it notices nothing. A file system that can do neither is left alone: copying and truncating would lose what is written between.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readSync, renameSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { open, rm, writeFile } from "node:fs/promises";
import { addMark, besideLog, indexFile, layoutOf, lineOf, type Mark, nextPiece, type Piece, tidyIndex } from "./logIndex.ts";

const CHUNK = 1024 * 1024;
/** Of a log that has that much more length than blocks, twice over, only so much of its end is copied as there are blocks: the rest is a hole. */
const SPARSE = 16 * CHUNK;

/** Of fallocate(1). */
type How = "--collapse-range" | "--punch-hole";

/** How a rotation went: `unsupported` by the file system; `small`: there is nothing to put aside. */
export type Rotation = "rotated" | "small" | "unsupported";

/** Logs that are being rotated: nobody else may rename their files. */
const busy = new Set<string>();

export const isBeingRotated = (log: string): boolean => busy.has(log);

/** Puts all whole blocks of a live log aside as `.1`, and keeps so many files in all. */
export async function rotate(log: string, maxFiles: number): Promise<Rotation> {
  if (busy.has(log)) return "small";
  busy.add(log);
  try {
    return await putBeginningAside(log, maxFiles);
  } finally {
    busy.delete(log);
  }
}

async function putBeginningAside(log: string, maxFiles: number): Promise<Rotation> {
  while (!settle(log, maxFiles)) await new Promise((resolve) => setTimeout(resolve, 20));
  const live = layoutOf(log).pieces.at(-1);
  const size = statSync(log, { throwIfNoEntry: false })?.size;
  if (!live || size === undefined) return "small";
  const block = statfsSync(log).bsize;
  // The last byte stays: a range to be collapsed must end before the end of the file.
  const end = Math.floor((size - 1) / block) * block;
  if (end <= live.offset) return "small";
  const way = await wayOf(log, block);
  if (way === undefined) return "unsupported";
  const whole = way === "collapse" && live.offset === 0;
  const begun: Mark = { what: "rotating", time: Date.now(), position: live.from + (end - live.offset), offset: whole ? 0 : end };
  const copied = `${log}.copy`;
  try {
    if (maxFiles > 1) await copy(log, live.offset, end, copied);
    writeFileSync(permitFor(log, begun), "", { mode: 0o640 });
  } catch (error) {
    rmSync(copied, { force: true });
    throw error;
  }
  addMark(log, begun);
  if (maxFiles > 1) renameSync(copied, nextPiece(log));
  const done = await takeOut(log, whole ? "--collapse-range" : "--punch-hole", live, end, begun);
  if (done) settle(log, maxFiles);
  tidyIndex(log);
  return done ? "rotated" : "unsupported";
}

const base = (position: number, offset: number): Mark => ({ what: "base", time: Date.now(), position, offset });

/** Stands beside a log until its beginning is taken out: who removes it decides whether that will ever happen. One for each rotation. */
const permitFor = (log: string, { time, position }: Mark): string => besideLog(log, `permit-${time}-${position}`);

/**
 * A shell that goes on when the controller is killed, or gets a signal with it: it acts only with the permit, and writes down
 * itself how that went. $1: the permit; $2 to $5: how, offset, length, file; $6 and $7: the marks to leave; $8: the index; $9:
 * the copy, which is of no use when nothing was taken out.
 */
const TAKE_OUT = `trap "" HUP INT QUIT TERM
rm -- "$1" || exit 2
fallocate "$2" --offset "$3" --length "$4" "$5"
code=$?
[ $code -lt 128 ] || exit 4
if [ $code = 0 ]; then printf %s "$6" >>"$8" || exit 3; exit 0; fi
rm -f -- "$9"
printf %s "$7" >>"$8"
exit 1`;
/** Exit codes that ask for something; of any but these, 0 and 1 nobody knows what was done, and settle() sees to it. */
const CODE = { withdrawn: 2, unmarked: 3 } as const;

/** Takes the live piece out, up to `end`; whether it is known to be done. */
async function takeOut(log: string, how: How, live: Piece, end: number, begun: Mark): Promise<boolean> {
  const [done, undone] = [base(begun.position, begun.offset), base(live.from, live.offset)];
  const range = [how, String(live.offset), String(end - live.offset), log];
  const words = [permitFor(log, begun), ...range, lineOf(done), lineOf(undone), indexFile(log), nextPiece(log)];
  const code = await run("sh", ["-c", TAKE_OUT, "holdfast-rotate", ...words]);
  if (code === CODE.unmarked) addMark(log, done);
  if (code === CODE.withdrawn) abandon(log, undone);
  return code === 0 || code === CODE.unmarked;
}

/**
 * Ends what was begun and never finished. False: it is at work; look again. Nothing is thrown away unless it is certain that
 * it stands elsewhere: where that cannot be known, a part stands twice.
 */
export function settle(log: string, maxFiles: number): boolean {
  const { begun, rotating, pieces } = layoutOf(log);
  const live = pieces.at(-1);
  if (begun && live) {
    const undone = base(live.from, live.offset);
    if (withdraw(permitFor(log, begun))) abandon(log, undone, permitFor(log, begun));
    else if (rotating) return false;
    // Its shell was killed too. A hole shows whether it was made; with a collapsed range nothing does.
    else if (begun.offset > 0 && !isHole(log, live.offset)) abandon(log, undone);
    else addMark(log, base(begun.position, begun.offset));
  }
  if (statSync(nextPiece(log), { throwIfNoEntry: false })) putAside(log, nextPiece(log), maxFiles);
  return true;
}

const withdrawn = (permit: string): string => `${permit}-withdrawn`;

/** Whether nothing was taken out, and nothing will be: also if that was found before, and not gone through with. */
function withdraw(permit: string): boolean {
  try {
    renameSync(permit, withdrawn(permit));
    return true;
  } catch {
    return statSync(withdrawn(permit), { throwIfNoEntry: false }) !== undefined;
  }
}

/** Nothing was taken out: the copy goes, and all is as before. In this order: it can be done twice. */
function abandon(log: string, undone: Mark, permit?: string): void {
  rmSync(nextPiece(log), { force: true });
  addMark(log, undone);
  if (permit !== undefined) rmSync(withdrawn(permit), { force: true });
}

function isHole(log: string, offset: number): boolean {
  const buffer = Buffer.alloc(4096, 1);
  const descriptor = openSync(log, "r");
  try {
    return buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, offset)).every((byte) => byte === 0);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * `.1` becomes `.2` and so on, up to the first number that is free, and `next` becomes `.1`: the same when it is done again
 * after it was interrupted. Where no file is to be kept beside the log, it goes.
 */
export function putAside(log: string, next: string, maxFiles: number): void {
  if (maxFiles <= 1) return void rmSync(next, { force: true });
  let free = 1;
  while (free < maxFiles - 1 && statSync(`${log}.${free}`, { throwIfNoEntry: false })) free++;
  for (let index = free - 1; index >= 1; index--) renameSync(`${log}.${index}`, `${log}.${index + 1}`);
  renameSync(next, `${log}.1`);
}

async function copy(from: string, start: number, end: number, to: string): Promise<void> {
  const source = await open(from, "r");
  try {
    const target = await open(to, "w", 0o640);
    try {
      const buffer = Buffer.allocUnsafe(CHUNK);
      // A writer may make its own log as long as it likes (ftruncate(2)): what takes no room there must take none here.
      const allocated = (await source.stat()).blocks * 512;
      const sparse = end - start > 2 * allocated + SPARSE;
      if (sparse) await target.truncate(end - start);
      for (let at = sparse ? end - Math.max(allocated, CHUNK) : start; at < end; ) {
        const { bytesRead } = await source.read(buffer, 0, Math.min(CHUNK, end - at), at);
        if (bytesRead === 0) throw new Error(`${from} became shorter while it was copied`);
        // A disk that is nearly full takes a part, and then refuses.
        for (let written = 0; written < bytesRead; ) written += (await target.write(buffer, written, bytesRead - written, at - start + written)).bytesWritten;
        at += bytesRead;
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** What each file system can do, by its device number: tried once, on a file of its own. */
const ways = new Map<number, "collapse" | "punch" | undefined>();

async function wayOf(log: string, block: number): Promise<"collapse" | "punch" | undefined> {
  const { dev } = statSync(log);
  if (ways.has(dev)) return ways.get(dev);
  const probe = `${log}.probe`;
  let way: "collapse" | "punch" | undefined;
  try {
    await writeFile(probe, Buffer.alloc(3 * block, 1), { mode: 0o600 });
    way = (await fallocate("--collapse-range", probe, 0, block)) ? "collapse" : (await fallocate("--punch-hole", probe, 0, block)) ? "punch" : undefined;
  } finally {
    await rm(probe, { force: true });
  }
  ways.set(dev, way);
  return way;
}

/** fallocate(1) of util-linux: Node has no call for it. */
const fallocate = async (how: How, file: string, offset: number, length: number): Promise<boolean> =>
  (await run("fallocate", [how, "--offset", String(offset), "--length", String(length), file])) === 0;

/** The exit code; undefined when it could not be started, or was killed. */
function run(program: string, args: readonly string[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: "ignore", detached: true });
    child.once("error", () => resolve(undefined));
    child.once("exit", (code) => resolve(code ?? undefined));
  });
}
