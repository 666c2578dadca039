/**
 * Knows how to put the beginning of a log aside while somebody appends to it, without losing a byte: copy it, then let the file
 * system take it out of the live file (fallocate(2): collapse a range, or else punch a hole). The writer's descriptor appends,
 * so it notices nothing. A file system that can do neither is left alone: copying and truncating would lose what is written between.
 */
import { spawn } from "node:child_process";
import { renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { addMark, layoutOf, tidyIndex } from "./logIndex.ts";

const CHUNK = 1024 * 1024;

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
  addMark(log, { what: "rotating", time: Date.now(), position: live.from, offset: live.offset });
  putAside(log, next, maxFiles);
  const offset = way === "collapse" && live.offset === 0 ? 0 : end;
  const done = offset === 0 ? await fallocate("--collapse-range", log, 0, end) : await fallocate("--punch-hole", log, live.offset, end - live.offset);
  addMark(log, done ? { what: "base", time: Date.now(), position, offset } : { what: "base", time: Date.now(), position: live.from, offset: live.offset });
  tidyIndex(log);
  return done ? "rotated" : "unsupported";
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
function fallocate(how: string, file: string, offset: number, length: number): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn("fallocate", [how, "--offset", String(offset), "--length", String(length), file], { stdio: "ignore" });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}
