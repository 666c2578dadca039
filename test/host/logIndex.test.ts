import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { addMark, layoutOf, tidyIndex } from "../../src/host/logIndex.ts";

let top: string;
let log: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-index-"));
  log = join(top, "w.0.log");
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

test("without an index the oldest piece begins at 0", () => {
  writeFileSync(`${log}.2`, "aaa");
  writeFileSync(`${log}.1`, "bb");
  writeFileSync(log, "c");
  expect(layoutOf(log)).toEqual({
    pieces: [
      { file: `${log}.2`, from: 0, to: 3, offset: 0 },
      { file: `${log}.1`, from: 3, to: 5, offset: 0 },
      { file: log, from: 5, to: 6, offset: 0 },
    ],
    marks: [],
    begun: undefined,
    cut: false,
    rotating: false,
  });
  expect(layoutOf(join(top, "none")).pieces).toEqual([{ file: join(top, "none"), from: 0, to: 0, offset: 0 }]);
});

test("marks of what somebody cut off are forgotten, also when as much was written since", () => {
  const mark = (what: "start" | "at", position: number): void => addMark(log, { what, time: position, position, offset: 0 });
  const known = (): string[] => layoutOf(log).marks.map(({ what, position }) => `${what} ${position}`);
  writeFileSync(log, "x".repeat(500));
  mark("start", 0);
  mark("start", 492);
  expect(known()).toEqual(["start 0", "start 492"]);
  writeFileSync(log, "x".repeat(90));
  expect(known()).toEqual(["start 0"]);
  mark("at", 90);
  writeFileSync(log, "x".repeat(600));
  expect(known()).toEqual(["start 0", "at 90"]);
});

test("the last base tells where the live file begins, behind its hole", () => {
  writeFileSync(`${log}.1`, "bb");
  writeFileSync(log, "....cc");
  addMark(log, { what: "base", time: 1, position: 100, offset: 4 });
  expect(layoutOf(log).pieces).toEqual([
    { file: `${log}.1`, from: 98, to: 100, offset: 0 },
    { file: log, from: 100, to: 102, offset: 4 },
  ]);
  expect(statSync(join(top, ".w.0.log.index")).mode & 0o777).toBe(0o640);
});

test("a rotation is at work until it says where the file begins, or has been forgotten", () => {
  addMark(log, { what: "rotating", time: Date.now(), position: 0, offset: 0 });
  expect(layoutOf(log).rotating).toBe(true);
  addMark(log, { what: "base", time: Date.now(), position: 9, offset: 0 });
  expect(layoutOf(log).rotating).toBe(false);
  addMark(log, { what: "rotating", time: Date.now() - 60_000, position: 9, offset: 0 });
  expect(layoutOf(log)).toMatchObject({ begun: { position: 9 }, rotating: false });
  tidyIndex(log);
  expect(layoutOf(log)).toMatchObject({ begun: { position: 9 } });
});

test("what was copied is a piece once it was taken out; while names change, one may be missing", () => {
  writeFileSync(log, "dd");
  writeFileSync(`${log}.next`, "c");
  writeFileSync(`${log}.1`, "bb");
  writeFileSync(`${log}.3`, "aaa");
  const files = (): string[] => layoutOf(log).pieces.map(({ file }) => file.slice(log.length));
  expect(files()).toEqual([".3", ".1", ".next", ""]);
  addMark(log, { what: "rotating", time: Date.now(), position: 0, offset: 0 });
  expect(files()).toEqual([".3", ".1", ""]);
});

test("what is about bytes that are gone is forgotten, but not where the oldest known attempt began", () => {
  writeFileSync(log, "x".repeat(10));
  for (const [what, position] of [
    ["start", 5],
    ["start", 50],
    ["at", 60],
    ["start", 95],
    ["at", 101],
    ["base", 95],
  ] as const)
    addMark(log, { what, time: 1, position, offset: 0 });
  tidyIndex(log);
  expect(layoutOf(log).marks.map(({ what, position }) => `${what} ${position}`)).toEqual(["start 50", "start 95", "at 101", "base 95"]);
});

test("a long index is thinned out", () => {
  writeFileSync(log, "x".repeat(10_000));
  const lines = Array.from({ length: 5000 }, (_, position) => `at 1764000000000 ${position} 0\n`);
  writeFileSync(join(top, ".w.0.log.index"), `base 1 0 0\n${lines.join("")}garbage\nat x y z\n`);
  tidyIndex(log);
  const text = readFileSync(join(top, ".w.0.log.index"), "utf8");
  expect(text.split("\n").length).toBeLessThan(2600);
  expect(text).toContain("base 1 0 0");
});
