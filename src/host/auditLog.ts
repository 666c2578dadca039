/**
 * Knows the audit log: a line of JSON for everything that was done to the machine, or refused, each with the hash of the line before, so that no line can be changed, taken out or moved unseen.
 * Whoever can write the file can write all of it anew: what is worth more than that is a hash that is kept elsewhere (the head in the run directory; `--head`).
 */
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, readSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makePath } from "./logs.ts";
import { parseJson, readJson, replaceFile, textOf } from "./records.ts";

/** The last line that was written. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** The chain begins with that. */
const GENESIS = "0".repeat(64);
/** A file is put aside when it is larger, bytes; and so many are kept. */
const [LARGEST, MOST_FILES] = [10 * 1024 * 1024, 10];

/** `/var/log/holdfast/_audit-holdfast.jsonl`: no workload's directory has such a name. */
export const auditFile = (logDirectory: string, root: string): string => join(logDirectory, `_audit-${root.replaceAll("/", "+")}.jsonl`);
/** All files that it may have, the oldest first. */
export function auditFiles(logDirectory: string, root: string): string[] {
  const file = auditFile(logDirectory, root);
  return [...Array.from({ length: MOST_FILES - 1 }, (_, index) => `${file}.${MOST_FILES - 1 - index}`), file];
}

export const headFile = (runDirectory: string): string => join(runDirectory, "audit.json");

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A line: the body, and its hash as the last field. */
const lineOf = (body: string, hash: string): string => `${body.slice(0, -1)},"hash":"${hash}"}\n`;

/** The body and the hash of a line; undefined when it is none. */
function parseLine(line: string): { readonly body: string; readonly hash: string } | undefined {
  const [, front, hash] = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/.exec(line) ?? [];
  return front === undefined || hash === undefined ? undefined : { body: `${front}}`, hash };
}

export class AuditLog {
  private readonly file: string;
  private readonly headFile: string;
  private head: Head | undefined;

  constructor(file: string, head: string) {
    this.file = file;
    this.headFile = head;
  }

  /** Adds lines. Throws when they cannot be written: then none of them counts as written. */
  append(entries: readonly object[]): void {
    if (entries.length === 0) return;
    let head = this.head ?? this.open();
    const time = new Date().toISOString();
    let text = "";
    for (const entry of entries) {
      const seq = head.seq + 1;
      const body = JSON.stringify({ seq, time, controller: process.pid, ...entry, prev: head.hash });
      const hash = hashOf(body);
      text += lineOf(body, hash);
      head = { seq, hash };
    }
    const [descriptor, size] = this.opened();
    try {
      writeFileSync(descriptor, text);
    } catch (error) {
      // A full disk takes a part.
      ftruncateSync(descriptor, size);
      throw error;
    } finally {
      closeSync(descriptor);
    }
    this.head = head;
    replaceFile(this.headFile, JSON.stringify(head));
  }

  /** Finds where the chain ends. What was being written when a controller was killed was never written. */
  private open(): Head {
    const known = readJson(this.headFile) as Head | undefined;
    const last = lastLine(this.file);
    const parsed = last === undefined ? undefined : parseLine(last);
    const found = parsed && { seq: jsonOf(parsed.body)?.seq ?? 0, hash: parsed.hash };
    // Lines that were taken away at the end stay missing: the chain goes on behind them.
    if (found && found.seq >= (known?.seq ?? 0)) return found;
    return known ?? { seq: 0, hash: GENESIS };
  }

  /** The file to append to, and its size: one that is full is put aside. */
  private opened(): readonly [descriptor: number, size: number] {
    const descriptor = this.openFile();
    const { size } = fstatSync(descriptor);
    if (size <= LARGEST) return [descriptor, size];
    closeSync(descriptor);
    for (let index = MOST_FILES - 2; index >= 1; index--)
      if (statSync(`${this.file}.${index}`, { throwIfNoEntry: false })) renameSync(`${this.file}.${index}`, `${this.file}.${index + 1}`);
    renameSync(this.file, `${this.file}.1`);
    return [this.openFile(), 0];
  }

  private openFile(): number {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    try {
      return openSync(this.file, flags, 0o640);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      makePath(dirname(this.file));
      return openSync(this.file, flags, 0o640);
    }
  }
}

/** Longer than any line. */
const TAIL = 1024 * 1024;

/** The last whole line; a torn one behind it is cut off. */
function lastLine(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(descriptor);
    const from = Math.max(0, size - TAIL);
    const buffer = Buffer.alloc(size - from);
    readSync(descriptor, buffer, 0, buffer.length, from);
    const end = buffer.lastIndexOf("\n");
    if (end + 1 < buffer.length) ftruncateSync(descriptor, from + end + 1);
    const whole = buffer.toString("utf8", 0, end);
    return end < 0 ? undefined : whole.slice(whole.lastIndexOf("\n") + 1);
  } finally {
    closeSync(descriptor);
  }
}

/** What is wrong with a log, and where. */
interface Flaw {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export interface Verified {
  readonly flaws: readonly Flaw[];
  readonly first: number | undefined;
  readonly head: Head | undefined;
  readonly count: number;
  /** Whether a line with the hash that was asked for is among them. */
  readonly found: boolean;
}

/** Reads the whole chain, in all of these files that are there, the oldest first. `wanted`: a hash that somebody has kept. */
export function verifyLog(all: readonly string[], wanted?: string): Verified {
  const files = all.filter((name) => statSync(name, { throwIfNoEntry: false }));
  const flaws: Flaw[] = [];
  let first: number | undefined;
  let head: Head | undefined;
  let count = 0;
  let found = wanted === undefined;
  for (const name of files) {
    const lines = readFileSync(name, "utf8").split("\n");
    if (lines.at(-1) === "") lines.pop();
    for (const [index, line] of lines.entries()) {
      const flaw = (message: string): void => void flaws.push({ file: name, line: index + 1, message });
      count++;
      const parsed = parseLine(line);
      const entry = parsed && jsonOf(parsed.body);
      if (!parsed || !entry) {
        flaw("this is no line of an audit log");
        continue;
      }
      if (hashOf(parsed.body) !== parsed.hash) flaw(`line ${entry.seq} was changed: its hash is another one`);
      if (head === undefined) {
        first = entry.seq;
        if (entry.seq === 1 && entry.prev !== GENESIS) flaw("the first line does not begin the chain");
      } else if (entry.seq > head.seq + 1) flaw(missing(head.seq + 1, entry.seq - 1));
      else if (entry.seq <= head.seq) flaw(`line ${entry.seq} comes after line ${head.seq}: lines were moved, or written twice`);
      else if (entry.prev !== head.hash) flaw(`line ${entry.seq} does not follow line ${head.seq}: one of them was changed`);
      head = { seq: entry.seq, hash: parsed.hash };
      if (parsed.hash === wanted) found = true;
    }
  }
  if (first !== undefined && first > 1 && files.length < all.length)
    flaws.unshift({ file: files[0] ?? "", line: 1, message: `the beginning is missing: ${first === 2 ? "line 1" : `lines 1 to ${first - 1}`}` });
  return { flaws, first, head, count, found };
}

const missing = (from: number, to: number): string => (from === to ? `line ${from} is missing` : `lines ${from} to ${to} are missing`);

function jsonOf(body: string): { readonly seq: number; readonly prev: string } | undefined {
  try {
    const { seq, prev } = JSON.parse(body) as { seq?: unknown; prev?: unknown };
    return typeof seq === "number" && typeof prev === "string" ? { seq, prev } : undefined;
  } catch {
    return undefined;
  }
}

/** The last line with all of these fields; undefined when there is none, or no log that can be read. */
export function lastEntry(files: readonly string[], match: object): Readonly<Record<string, unknown>> | undefined {
  const wanted = Object.entries(match);
  for (const file of files.toReversed()) {
    for (const line of textOf(file).split("\n").reverse()) {
      // Most lines are about something else: they are not parsed.
      if (line === "" || !wanted.every(([, value]) => line.includes(JSON.stringify(value)))) continue;
      const entry = parseJson(line) as Readonly<Record<string, unknown>> | undefined;
      if (entry && wanted.every(([name, value]) => entry[name] === value)) return entry;
    }
  }
  return undefined;
}
