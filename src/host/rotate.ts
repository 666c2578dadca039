/**
 * Knows how to put the beginning of a log aside while somebody appends to it, without losing a byte: copy it, then let the file
 * system take it out of the live file (fallocate(2): collapse a range, or else punch a hole). The writer's descriptor appends,
 * so it notices nothing. A file system that can do neither is left alone: copying and truncating would lose what is written between.
 */
import { spawn } from "node:child_process";
import { readFileSync, renameSync, rmSync, statfsSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { addMark, besideLog, indexFile, layoutOf, lineOf, type Mark, tidyIndex } from "./logIndex.ts";

const CHUNK = 1024 * 1024;
/** As many as maxFiles may be. */
const MOST_FILES = 100;

/** What is to be taken out of a file. */
interface Carving {
  readonly how: "--collapse-range" | "--punch-hole";
  readonly offset: number;
  readonly length: number;
}

/** How a rotation went: `unsupported` by the file system; `small`: there is nothing to put aside. */
export type Rotation = "rotated" | "small" | "unsupported";

/** Logs that are being rotated: nobody else may rename their files. */
const busy = new Set<string>();

export const isBeingRotated = (log: string): boolean => busy.has(log);

/** Puts all whole blocks of a live log aside as `.1`, and keeps so many files in all. */
export async function rotate(log: string, maxFiles: number): Promise<Rotation> {
  busy.add(log);
  try {
    return await putBeginningAside(log, maxFiles);
  } finally {
    busy.delete(log);
  }
}

async function putBeginningAside(log: string, maxFiles: number): Promise<Rotation> {
  while (!callOff(log)) await new Promise((resolve) => setTimeout(resolve, 20));
  const live = layoutOf(log).pieces.at(-1);
  const size = statSync(log, { throwIfNoEntry: false })?.size;
  if (!live || size === undefined) return "small";
  const block = statfsSync(log).bsize;
  // The last byte stays: a range to be collapsed must end before the end of the file.
  const end = Math.floor((size - 1) / block) * block;
  if (end <= live.offset) return "small";
  const way = await wayOf(log, block);
  if (way === undefined) return "unsupported";
  const next = `${log}.next`;
  if (maxFiles > 1) await copy(log, live.offset, end, next);
  const position = live.from + (end - live.offset);
  const whole = way === "collapse" && live.offset === 0;
  const base = (at: number, offset: number): Mark => ({ what: "base", time: Date.now(), position: at, offset });
  writeFileSync(permitOf(log), maxFiles > 1 ? COPIED : "", { mode: 0o640 });
  addMark(log, { what: "rotating", time: Date.now(), position: live.from, offset: live.offset });
  putAside(log, next, maxFiles);
  const range = { how: whole ? "--collapse-range" : "--punch-hole", offset: live.offset, length: end - live.offset } as const;
  const done = await takeOut(log, range, base(position, whole ? 0 : end), base(live.from, live.offset));
  if (!done && maxFiles > 1) takeBack(log);
  tidyIndex(log);
  return done ? "rotated" : "unsupported";
}

/** Stands beside a log until its beginning is taken out: who removes it decides whether that will ever happen. */
const permitOf = (log: string): string => besideLog(log, "permit");
const COPIED = "copied";

/**
 * A shell of its own, which goes on when the controller is killed: it acts only with the permit, and writes down itself how
 * that went. $1: the permit; $2 to $5: how, offset, length, file; $6 and $7: the marks to leave; $8: the index.
 */
const TAKE_OUT = `rm -- "$1" || exit 2
fallocate "$2" --offset "$3" --length "$4" "$5" || { printf %s "$7" >>"$8"; exit 1; }
printf %s "$6" >>"$8" || exit 3`;
/** Done, but it could not be written down. */
const UNMARKED = 3;

async function takeOut(log: string, { how, offset, length }: Carving, done: Mark, failed: Mark): Promise<boolean> {
  const range = [how, String(offset), String(length), log];
  const code = await run("sh", ["-c", TAKE_OUT, "holdfast-rotate", permitOf(log), ...range, lineOf(done), lineOf(failed), indexFile(log)]);
  if (code === UNMARKED) addMark(log, done);
  else if (code !== 0) addMark(log, failed);
  return code === 0 || code === UNMARKED;
}

/**
 * Ends what an earlier controller began and did not see the end of: where nothing was taken out of the log yet, nothing will
 * be. False while that is being done: its end is to be waited for.
 */
export function callOff(log: string): boolean {
  const { unfinished, rotating, pieces } = layoutOf(log);
  if (!unfinished) return true;
  let copied: boolean;
  try {
    copied = readFileSync(permitOf(log), "utf8") === COPIED;
    unlinkSync(permitOf(log));
  } catch {
    return !rotating;
  }
  const live = pieces.at(-1);
  addMark(log, { what: "base", time: Date.now(), position: live?.from ?? 0, offset: live?.offset ?? 0 });
  if (copied) takeBack(log);
  return true;
}

/** What was put aside last is in the live file still: it stands once again. */
function takeBack(log: string): void {
  const next = statSync(`${log}.next`, { throwIfNoEntry: false });
  rmSync(next ? `${log}.next` : `${log}.1`, { force: true });
  // The others go back by one; where a shift was interrupted, only those after the gap.
  for (let [from, to] = [1, 1]; from <= MOST_FILES; from++)
    if (statSync(`${log}.${from}`, { throwIfNoEntry: false })) renameSync(`${log}.${from}`, `${log}.${to++}`);
}

/** `.1` becomes `.2` and so on, and `next` becomes `.1`; where no file is to be kept beside the log, it goes. */
export function putAside(log: string, next: string, maxFiles: number): void {
  if (maxFiles <= 1) return void rmSync(next, { force: true });
  rmSync(`${log}.${maxFiles - 1}`, { force: true });
  for (let index = maxFiles - 2; index >= 1; index--)
    if (statSync(`${log}.${index}`, { throwIfNoEntry: false })) renameSync(`${log}.${index}`, `${log}.${index + 1}`);
  renameSync(next, `${log}.1`);
}

async function copy(from: string, start: number, end: number, to: string): Promise<void> {
  const source = await open(from, "r");
  try {
    const target = await open(to, "w", 0o640);
    try {
      const buffer = Buffer.allocUnsafe(CHUNK);
      for (let at = start; at < end; ) {
        const { bytesRead } = await source.read(buffer, 0, Math.min(CHUNK, end - at), at);
        if (bytesRead === 0) throw new Error(`${from} became shorter while it was copied`);
        // A disk that is nearly full takes a part, and then refuses.
        for (let written = 0; written < bytesRead; ) written += (await target.write(buffer, written, bytesRead - written)).bytesWritten;
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
  const file = await open(probe, "w", 0o600);
  await file.write(Buffer.alloc(3 * block, 1));
  await file.close();
  const way = (await fallocate("--collapse-range", probe, 0, block)) ? "collapse" : (await fallocate("--punch-hole", probe, 0, block)) ? "punch" : undefined;
  await rm(probe, { force: true });
  ways.set(dev, way);
  return way;
}

/** fallocate(1) of util-linux: Node has no call for it. */
const fallocate = async (how: Carving["how"], file: string, offset: number, length: number): Promise<boolean> =>
  (await run("fallocate", [how, "--offset", String(offset), "--length", String(length), file])) === 0;

/** The exit code; undefined when it could not be started, or was killed. */
function run(program: string, args: readonly string[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: "ignore" });
    child.once("error", () => resolve(undefined));
    child.once("exit", (code) => resolve(code ?? undefined));
  });
}
