/** Knows how to read a log that is written to and rotated meanwhile: by positions in all that was ever written. */
import { closeSync, constants, openSync, readSync } from "node:fs";
import { type Layout, layoutOf, type Mark } from "./logIndex.ts";

const CHUNK = 64 * 1024;

/** A part of a log; `to` undefined: up to its end, wherever that will be. */
export interface Range {
  readonly from: number;
  readonly to: number | undefined;
}

const starts = ({ marks }: Layout): readonly Mark[] => marks.filter(({ what }) => what === "start");

/** What the attempt wrote that began last (0) or so many before it; undefined when that is not known. */
export function attemptRange(layout: Layout, back: number): Range | undefined {
  const all = starts(layout);
  const start = all.at(-1 - back);
  return start && { from: start.position, to: back === 0 ? undefined : all.at(-back)?.position };
}

/** Where a log was at a time (ms since the epoch), as far as its marks tell: never later than that. */
export function positionAt({ pieces, marks }: Layout, time: number): number {
  return marks.findLast((mark) => mark.what !== "rotating" && mark.time <= time)?.position ?? pieces[0]?.from ?? 0;
}

/**
 * Reads a part of a log, from a position on, and tells where it ended. A rotation that comes in between moves what is to be
 * read: then it is read again from where it is now.
 */
export async function readLog(log: string, { from, to }: Range, write: (bytes: Buffer) => void): Promise<number> {
  let at = from;
  for (;;) {
    const layout = await settled(log);
    if (to === undefined) at = presentIn(layout, at);
    const piece = layout.pieces.find((each) => at < each.to);
    if (!piece || (to !== undefined && at >= to)) return at;
    at = Math.max(at, piece.from);
    const most = Math.min(CHUNK, piece.to - at, to === undefined ? CHUNK : to - at);
    const bytes = readAt(piece.file, piece.offset + (at - piece.from), most);
    if (!sameLayout(layout, layoutOf(log))) continue;
    if (bytes.length === 0) return at;
    write(bytes);
    at += bytes.length;
  }
}

/** Somebody cut the live file, or removed it and it was begun anew: what is there now comes after that. */
function presentIn({ pieces }: Layout, position: number): number {
  const live = pieces.at(-1);
  return live && live.to < position ? live.from : position;
}

/** The position, or where the live file was begun anew. */
export async function presentFrom(log: string, position: number): Promise<number> {
  for (;;) {
    const layout = await settled(log);
    if (sameLayout(layout, layoutOf(log))) return presentIn(layout, position);
  }
}

/** The position from which on there are so many lines, up to the end of the range. */
export async function startOfTail(log: string, range: Range, lines: number): Promise<number> {
  for (;;) {
    const layout = await settled(log);
    const start = tailIn(layout, { ...range, from: presentIn(layout, range.from) }, lines);
    if (sameLayout(layout, layoutOf(log))) return start;
  }
}

function tailIn({ pieces }: Layout, { from, to }: Range, lines: number): number {
  const end = to ?? pieces.at(-1)?.to ?? from;
  let found = 0;
  for (let upper = end; upper > from; ) {
    const piece = pieces.findLast((each) => each.from < upper);
    if (!piece) break;
    const lower = Math.max(from, piece.from, upper - CHUNK);
    const bytes = readAt(piece.file, piece.offset + (lower - piece.from), upper - lower);
    for (let index = bytes.length - 1; index >= 0; index--) {
      const position = lower + index;
      // The newline at the very end ends the last line.
      if (bytes[index] === 10 && position !== end - 1 && ++found === lines) return position + 1;
    }
    upper = lower;
  }
  return lines === 0 ? end : from;
}

async function settled(log: string): Promise<Layout> {
  for (;;) {
    const layout = layoutOf(log);
    if (!layout.rotating) return layout;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether no rotation came between two looks: not even a change of names. */
function sameLayout(one: Layout, other: Layout): boolean {
  const [live, now] = [one.pieces.at(-1), other.pieces.at(-1)];
  const names = ({ pieces }: Layout): string => pieces.map(({ file }) => file).join("\n");
  return !other.rotating && live?.from === now?.from && live?.offset === now?.offset && names(one) === names(other);
}

function readAt(file: string, offset: number, length: number): Buffer {
  let descriptor: number;
  try {
    // A link may lead anywhere; and a pipe waits for a writer.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return Buffer.alloc(0);
  }
  try {
    const buffer = Buffer.allocUnsafe(length);
    return buffer.subarray(0, readSync(descriptor, buffer, 0, length, offset));
  } finally {
    closeSync(descriptor);
  }
}
