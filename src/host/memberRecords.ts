/** Knows which processes were drawn into groups, and from where, also after a restart of the controller: a file in the run directory to which lines are added. */
import { appendFileSync, closeSync, constants, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { MemberRecord } from "../plan/hostProcess.ts";
import { statOf } from "./procfs.ts";
import { parseJson, replaceFile, textOf } from "./records.ts";

export interface MemberRecords {
  all(): ReadonlyMap<number, MemberRecord>;
  add(record: MemberRecord): void;
  remove(record: Pick<MemberRecord, "pid" | "start">): void;
  close(): void;
}

/** A line: the record, or that it counts no more. */
type Line = MemberRecord | { readonly pid: number; readonly start: number; readonly gone: true };

/** Lines that say nothing any more are taken out when there are so many, and more than those that do. */
const STALE = 1000;

export function memberRecords(directory: string, bootId: string): MemberRecords {
  const file = join(directory, "members.jsonl");
  let known: Map<number, MemberRecord> | undefined;
  let lines = 0;
  /** Kept open: a line is to be added in the moment in which a process appears. */
  let opened: { readonly descriptor: number; readonly inode: number } | undefined;
  // Not before they are asked for: by then the controller has its lock, and nobody else writes them.
  const records = (): Map<number, MemberRecord> => {
    if (!known) ({ known, lines } = load(file, bootId));
    return known;
  };
  const close = (): void => {
    if (opened) closeSync(opened.descriptor);
    opened = undefined;
  };
  const write = (): void => {
    const all = records();
    for (const [pid, { start }] of all) if (statOf(pid)?.startTicks !== start) all.delete(pid);
    replaceFile(file, [{ bootId }, ...all.values()].map((line) => `${JSON.stringify(line)}\n`).join(""), 0o640);
    lines = all.size;
    close();
  };
  /** The file to add to; undefined where somebody took it away. */
  const open = (): number | undefined => {
    const inode = statSync(file, { throwIfNoEntry: false })?.ino;
    if (inode !== opened?.inode) close();
    if (inode !== undefined) opened ??= { descriptor: openSync(file, constants.O_WRONLY | constants.O_APPEND), inode };
    return opened?.descriptor;
  };
  const append = (line: Line): void => {
    const descriptor = lines === 0 || lines > 2 * records().size + STALE ? undefined : open();
    if (descriptor === undefined) {
      mkdirSync(dirname(file), { recursive: true });
      write();
      return;
    }
    // Half a line would spoil the next one.
    const before = lines;
    lines = 0;
    appendFileSync(descriptor, `${JSON.stringify(line)}\n`);
    lines = before + 1;
  };
  return {
    all: records,
    add: (record) => {
      records().set(record.pid, record);
      append(record);
    },
    remove: ({ pid, start }) => {
      if (records().get(pid)?.start === start) records().delete(pid);
      append({ pid, start, gone: true });
    },
    close,
  };
}

const isLine = (line: Partial<Line> | undefined | null): line is Line =>
  typeof line?.pid === "number" &&
  typeof line.start === "number" &&
  ("gone" in line || ("path" in line && typeof line.from === "object" && line.from !== null));

/** What the file says; nothing if it is of another boot. A last line that was being written counts for nothing. */
function load(file: string, bootId: string): { known: Map<number, MemberRecord>; lines: number } {
  const known = new Map<number, MemberRecord>();
  const [first, ...rest] = textOf(file).split("\n");
  if ((parseJson(first ?? "") as { bootId?: string } | undefined)?.bootId !== bootId) return { known, lines: 0 };
  for (const text of rest) {
    const line = parseJson(text) as Partial<Line> | undefined;
    if (!isLine(line)) continue;
    if ("gone" in line) known.delete(line.pid);
    else known.set(line.pid, line);
  }
  // The last line may be a part of one: the file is written anew with the next.
  return { known, lines: rest.at(-1) === "" ? rest.length - 1 : 0 };
}
