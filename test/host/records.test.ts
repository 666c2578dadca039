import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { fileRecords, readJson, replaceFile } from "../../src/host/records.ts";
import { saveController } from "../../src/reconcile/state.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-records-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const record = { starts: 2, restarts: 1, streak: 1 };

test("a record is there for the next controller of the same boot, and for none of another", () => {
  fileRecords(top, "boot-1").write("web@0", record);
  expect(fileRecords(top, "boot-1").read("web@0")).toEqual(record);
  expect(fileRecords(top, "boot-1").list()).toEqual(["web@0"]);
  expect(fileRecords(top, "boot-2").list()).toEqual([]);
  // Probes and hooks may have secrets in their headers and words.
  expect(statSync(join(top, "replicas/web@0.json")).mode & 0o777).toBe(0o640);
  const records = fileRecords(top, "boot-1");
  records.remove("web@0");
  expect(records.list()).toEqual([]);
  expect(existsSync(join(top, "replicas/web@0.json"))).toBe(false);
});

test("what a controller was writing when it was killed is taken away by the next one that writes, and by no reader", () => {
  mkdirSync(join(top, "replicas"));
  const half = (pid: number | string): string => join(top, "replicas", `a@0.json.${pid}.tmp`);
  for (const pid of [4_194_999, process.pid]) writeFileSync(half(pid), "{");
  expect(fileRecords(top, "boot-1").list()).toEqual([]);
  expect(existsSync(half(4_194_999))).toBe(true);
  fileRecords(top, "boot-1").write("b@0", record);
  expect([existsSync(half(4_194_999)), existsSync(half(process.pid))]).toEqual([false, true]);
});

test("what was being written beside the records is taken away by the next controller", () => {
  const half = (pid: number): string => join(top, `audit.json.${pid}.tmp`);
  for (const pid of [2 ** 22 + 1, process.pid]) writeFileSync(half(pid), "{");
  saveController(top, { pid: process.pid, directory: "/m", logDirectory: "/l", imageDirectory: "/i", ephemeral: false });
  expect([existsSync(half(2 ** 22 + 1)), existsSync(half(process.pid))]).toEqual([false, true]);
});

test("a damaged record is as good as none", () => {
  mkdirSync(join(top, "replicas"));
  for (const [name, text] of [
    ["a@0", ""],
    ["b@0", "{"],
    ["c@0", "null"],
    ["d@0", '{"bootId":"boot-1"}'],
  ] as const)
    writeFileSync(join(top, "replicas", `${name}.json`), text);
  expect(fileRecords(top, "boot-1").list()).toEqual([]);
});

test("a file is replaced as a whole, in a directory that may not be there yet, and a failure leaves nothing behind", () => {
  const file = join(top, "new/folder/x.json");
  replaceFile(file, "one");
  replaceFile(file, "two");
  expect([readFileSync(file, "utf8"), readdirSync(join(top, "new/folder"))]).toEqual(["two", ["x.json"]]);
  mkdirSync(join(top, "directory"));
  expect(() => replaceFile(join(top, "directory"), "x")).toThrow();
  expect(readdirSync(top).sort()).toEqual(["directory", "new"]);
  expect(readJson(join(top, "nowhere"))).toBeUndefined();
});

test("records that somebody took away are missed, and written again", () => {
  const records = fileRecords(top, "boot-1");
  expect(records.lost()).toBe(false);
  records.write("web@0", record);
  expect(records.lost()).toBe(false);
  rmSync(join(top, "replicas"), { recursive: true });
  expect(records.lost()).toBe(true);
  records.restore();
  expect([records.lost(), fileRecords(top, "boot-1").read("web@0")]).toEqual([false, record]);
});
