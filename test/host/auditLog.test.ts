/** The audit log: a chain in which every edit, cut and move shows. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { AuditLog, auditFiles, headFile, verifyLog } from "../../src/host/auditLog.ts";

let top: string;
let files: string[];
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-audit-"));
  files = auditFiles(join(top, "log"), "system.slice/x");
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const live = (): string => files.at(-1) ?? "";
const log = (): AuditLog => new AuditLog(live(), headFile(top));
const write = (count: number, to = log()): void => {
  for (let index = 0; index < count; index++) to.append([{ action: "write", what: `pids.max → ${index}` }]);
};
const lines = (): string[] => readFileSync(live(), "utf8").trimEnd().split("\n");
const flaws = (): string[] => verifyLog(files).flaws.map(({ line, message }) => `${line}: ${message}`);
const head = (): { seq: number; hash: string } => JSON.parse(readFileSync(headFile(top), "utf8"));
const put = (all: readonly string[]): void => writeFileSync(live(), all.map((line) => `${line}\n`).join(""));

test("what was written is whole, over several controllers", () => {
  write(3);
  write(2);
  log().append([]);
  log().append([{ what: 'quotes " and \\ and "hash":"x"' }, { what: "ü\n" }]);
  const verified = verifyLog(files, head().hash);
  expect(verified).toMatchObject({ flaws: [], first: 1, count: 7, found: true, head: head() });
  expect(readdirSync(join(top, "log"))).toEqual(["_audit-system.slice+x.jsonl"]);
  expect(JSON.parse(lines()[0] ?? "")).toMatchObject({ seq: 1, controller: process.pid, what: "pids.max → 0", prev: "0".repeat(64) });
});

describe("what was done to it shows:", () => {
  beforeEach(() => write(6));
  const changed = (index: number, change: (line: string) => string): string[] => lines().map((line, at) => (at === index ? change(line) : line));

  test("a line that was changed", () => {
    put(changed(2, (line) => line.replace("→ 2", "→ 9")));
    expect(flaws()).toEqual(["3: line 3 was changed: its hash is another one"]);
  });
  test("a line that was written anew with its hash", () => {
    const other = new AuditLog(join(top, "other"), join(top, "other.json"));
    for (let index = 0; index < 3; index++) other.append([{ what: "other" }]);
    const forged = readFileSync(join(top, "other"), "utf8").split("\n")[2] ?? "";
    put(changed(2, () => forged));
    expect(flaws()).toEqual(["3: line 3 does not follow line 2: one of them was changed", "4: line 4 does not follow line 3: one of them was changed"]);
  });
  test("lines that were taken out, one and several", () => {
    put(lines().filter((_, at) => at !== 2));
    expect(flaws()).toEqual(["3: line 3 is missing"]);
    put(lines().filter((_, at) => at !== 3));
    expect(flaws()).toEqual(["3: line 3 is missing", "4: line 5 is missing"]);
  });
  test("the beginning", () => {
    put(lines().slice(2));
    expect(flaws()).toEqual(["1: the beginning is missing: lines 1 to 2"]);
  });
  test("lines that changed places, or are there twice", () => {
    const [one = "", two = "", three = "", ...rest] = lines();
    put([one, three, two, ...rest]);
    expect(flaws()).toEqual(["2: line 2 is missing", "3: line 2 comes after line 3: lines were moved, or written twice", "4: line 3 is missing"]);
    put([one, two, two, three, ...rest]);
    expect(flaws()).toEqual(["3: line 2 comes after line 2: lines were moved, or written twice"]);
  });
  test("words of somebody else's", () => {
    appendFileSync(live(), '{"seq":7,"what":"x"}\nnonsense\n');
    expect(flaws()).toEqual(["7: this is no line of an audit log", "8: this is no line of an audit log"]);
  });
  test("the end, by what is known elsewhere; also when more was written since", () => {
    const kept = head();
    put(lines().slice(0, 4));
    expect(flaws()).toEqual([]);
    expect(verifyLog(files, kept.hash).found).toBe(false);
    write(1);
    expect(flaws()).toEqual(["5: lines 5 to 6 are missing"]);
  });
  test("all of it: the chain goes on from where it was", () => {
    rmSync(live());
    write(1);
    expect(flaws()).toEqual(["1: the beginning is missing: lines 1 to 6"]);
  });
  test("all written anew, by a hash that was kept", () => {
    const kept = head().hash;
    rmSync(live());
    rmSync(headFile(top));
    write(6);
    expect(flaws()).toEqual([]);
    expect(verifyLog(files, kept).found).toBe(false);
  });
});

test("what was being written when a controller was killed was never written; what it could not note is found", () => {
  write(2);
  appendFileSync(live(), '{"seq":3,"time":"20');
  write(1);
  expect(verifyLog(files, head().hash)).toMatchObject({ flaws: [], count: 3, found: true });
  const before = readFileSync(headFile(top), "utf8");
  write(1);
  writeFileSync(headFile(top), before);
  write(1);
  expect(verifyLog(files, head().hash)).toMatchObject({ flaws: [], count: 5, found: true });
});

test("large files are put aside; the oldest go, and that is no flaw", () => {
  const big = "x".repeat(1024 * 1024);
  const same = log();
  for (let index = 0; index < 120; index++) same.append([{ big }]);
  expect(readdirSync(join(top, "log")).length).toBe(10);
  const verified = verifyLog(files, head().hash);
  expect(verified).toMatchObject({ flaws: [], found: true, head: { seq: 120 } });
  expect(verified.first).toBeGreaterThan(1);
  rmSync(files[0] ?? "");
  expect(flaws()[0]).toMatch(/^1: the beginning is missing/);
});
