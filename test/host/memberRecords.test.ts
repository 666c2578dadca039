import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import { memberRecords } from "../../src/host/memberRecords.ts";
import { statOf } from "../../src/host/procfs.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-members-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const record = { pid: process.pid, start: statOf(process.pid)?.startTicks ?? 0, path: "g/members" as CgroupPath, rule: "{}", from: { pids: "/" } };
const next = () => memberRecords(top, "boot-1");

test("who was drawn in is known to the next controller of the same boot; damage costs no more than its lines", () => {
  next().add(record);
  appendFileSync(join(top, "members.jsonl"), 'null\n7\n{"pid":9}\n{"pid":9,"start":1,"path":"g","from":null}\n{"pid":');
  expect([...next().all().values()]).toEqual([record]);
  expect(memberRecords(top, "boot-2").all().size).toBe(0);
  next().remove(record);
  expect(next().all().size).toBe(0);
  expect(readFileSync(join(top, "members.jsonl"), "utf8").split("\n")[0]).toBe('{"bootId":"boot-1"}');
});

test("a file that somebody took away, or renamed, is written anew and whole", () => {
  const file = join(top, "members.jsonl");
  const records = next();
  const others = [1, 2, 3].map((number) => ({ ...record, rule: String(number) }));
  for (const [index, other] of others.entries()) {
    records.add(other);
    records.add(other);
    expect(next().all().get(process.pid)).toEqual(other);
    if (index === 0) rmSync(file);
    else renameSync(file, `${file}.old`);
  }
  records.close();
  records.add(record);
  expect(next().all().get(process.pid)).toEqual(record);
});
