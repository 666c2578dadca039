/**
 * Knows the index beside a log: at which byte of all that was ever written the live file begins, where each attempt began,
 * and how far the log was at what time. Positions count from the beginning of the oldest piece, and never go back.
 */
import { appendFileSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { replaceFile } from "./records.ts";

export interface Mark {
  readonly what: "start" | "at" | "base" | "rotating";
  /** ms since the epoch. */
  readonly time: number;
  readonly position: number;
  /** base: offset in the live file at which its data begins (behind a hole); 0 for the others. rotating: the base to come. */
  readonly offset: number;
}

/** One file of a log, and which bytes of the whole it has. */
export interface Piece {
  readonly file: string;
  readonly from: number;
  readonly to: number;
  /** Offset in the file of the byte `from`. */
  readonly offset: number;
}

export interface Layout {
  /** Oldest first; the last one is the live file. */
  readonly pieces: readonly Piece[];
  readonly marks: readonly Mark[];
  /** The mark of a rotation that was begun, and of which nothing tells how it went. */
  readonly begun: Mark | undefined;
  /** The live file is shorter than where its data begins: somebody cut it, or began it anew. */
  readonly cut: boolean;
  /** It is at work: wait for a moment. */
  readonly rotating: boolean;
}

/** A rotation that has taken longer has been interrupted, ms. */
const LONGEST_ROTATION = 30_000;
/** Larger indexes are thinned out, bytes. */
const LARGEST = 64 * 1024;

/** A file that is beside a log and not for people. */
export const besideLog = (log: string, what: string): string => join(dirname(log), `.${basename(log)}.${what}`);

export const indexFile = (log: string): string => besideLog(log, "index");

function readMarks(log: string): Mark[] {
  let text: string;
  try {
    text = readFileSync(indexFile(log), "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => {
    const match = /^(start|at|base|rotating) (\d+) (\d+) (\d+)$/.exec(line);
    return match ? [{ what: match[1] as Mark["what"], time: Number(match[2]), position: Number(match[3]), offset: Number(match[4]) }] : [];
  });
}

export const lineOf = ({ what, time, position, offset }: Mark): string => `${what} ${time} ${position} ${offset}\n`;

/** An index that cannot be written (a full disk) costs --previous and --since, and nothing else. */
export function addMark(log: string, mark: Mark): void {
  try {
    appendFileSync(indexFile(log), lineOf(mark), { mode: 0o640 });
  } catch {
    // told where the log itself cannot be written
  }
}

/** Marks of what somebody cut off are marks of something else: those beyond the end, and those beyond later ones. */
function stillTrue(marks: readonly Mark[], end: number): readonly Mark[] {
  let least = end;
  const kept = marks.toReversed().filter(({ what, position }) => {
    if (what === "base" || what === "rotating") return true;
    if (position > least) return false;
    least = position;
    return true;
  });
  return kept.reverse();
}

const sizeOf = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.size;

/** What was copied from the live file: a piece as soon as it has been taken out of that, and `.1` a moment later. */
export const nextPiece = (log: string): string => `${log}.next`;

/** Where everything is now. Without an index, the oldest piece begins at 0. */
export function layoutOf(log: string): Layout {
  const marks = readMarks(log);
  const turn = marks.findLast(({ what }) => what === "base" || what === "rotating");
  const begun = turn?.what === "rotating" ? turn : undefined;
  const aside: { file: string; size: number }[] = [];
  const next = begun ? undefined : sizeOf(nextPiece(log));
  if (next !== undefined) aside.push({ file: nextPiece(log), size: next });
  // While they are renamed, one number is free.
  for (let [index, missing] = [1, 0]; missing < 2; index++) {
    const [file, size] = [`${log}.${index}`, sizeOf(`${log}.${index}`)];
    if (size === undefined) missing++;
    else aside.push({ file, size });
  }
  const known = marks.findLast(({ what }) => what === "base");
  const base = known?.position ?? aside.reduce((sum, { size }) => sum + size, 0);
  const size = sizeOf(log) ?? 0;
  const cut = known !== undefined && known.offset > size;
  const offset = cut ? 0 : (known?.offset ?? 0);
  const pieces: Piece[] = [{ file: log, from: base, to: base + size - offset, offset }];
  for (const { file, size } of aside) {
    const to = pieces[0]?.from ?? base;
    pieces.unshift({ file, from: to - size, to, offset: 0 });
  }
  return {
    pieces,
    marks: begun ? marks : stillTrue(marks, base + size - offset),
    begun,
    cut,
    rotating: begun !== undefined && Date.now() - begun.time < LONGEST_ROTATION,
  };
}

/** Notes that the live file was begun anew, before it is so long again that nobody can tell. */
export function noteCut(log: string, { cut, pieces }: Layout): void {
  const live = pieces.at(-1);
  if (cut && live) addMark(log, { what: "base", time: Date.now(), position: live.from, offset: 0 });
}

/** Forgets what is about bytes that are gone, and every second mark of time where there are too many. */
export function tidyIndex(log: string): void {
  const { pieces, marks, begun } = layoutOf(log);
  const oldest = pieces[0]?.from ?? 0;
  const base = marks.findLast(({ what }) => what === "base");
  const starts = marks.filter(({ what }) => what === "start");
  const lastGone = starts.findLast(({ position }) => position < oldest);
  let kept = marks.filter(
    (mark) => mark === base || mark === begun || mark === lastGone || (mark.what !== "base" && mark.what !== "rotating" && mark.position >= oldest),
  );
  if (kept.reduce((sum, mark) => sum + lineOf(mark).length, 0) > LARGEST) kept = kept.filter((mark, index) => mark.what !== "at" || index % 2 === 0);
  try {
    replaceFile(indexFile(log), kept.map(lineOf).join(""), 0o640);
  } catch {
    // the old one is as good, only longer
  }
}
