import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import { openLedger } from "../../src/host/ledger.ts";
import type { LedgerEntry } from "../../src/plan/ledger.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-ledger-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const entry: LedgerEntry = {
  object: "LimitGroup/a",
  path: "/x" as CgroupPath,
  hierarchy: "pids",
  file: "pids.max",
  key: "",
  knob: "pids.max",
  found: "77",
  written: "50",
  policy: "Restore",
  identity: "boot 1",
};
const open = () => openLedger(join(top, "images"), "a/b");
const file = (): string => join(top, "governed", "a+b.json");

test("what was found is there for the next controller, until it is given back", () => {
  open().put(entry);
  expect([...open().all().values()]).toEqual([entry]);
  open().drop(entry);
  expect(open().all().size).toBe(0);
  expect(open().trouble()).toBeUndefined();
});

test.each([
  ["no JSON", "{", 0],
  ["something else", "7", 0],
  ["entries that are none", JSON.stringify({ entries: [null, 7, { ...entry, found: 1 }, entry] }), 1],
])("a damaged file (%s) is told and kept, and what can be read of it counts", (_, text, readable) => {
  open().put(entry);
  writeFileSync(file(), text);
  const ledger = open();
  expect(ledger.all().size).toBe(readable);
  expect(ledger.trouble()).toContain("is damaged");
  expect(existsSync(`${file()}.broken`)).toBe(false);
  ledger.put({ ...entry, key: "b" });
  expect(readFileSync(`${file()}.broken`, "utf8")).toBe(text);
  expect(open().all().size).toBe(readable + 1);
});
