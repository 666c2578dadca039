import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { openWriters, type Writers } from "../../src/host/writers.ts";

const top = mkdtempSync(join(tmpdir(), "holdfast-writers-"));
let writers: Writers | undefined;
afterEach(() => {
  writers?.close();
  rmSync(top, { recursive: true, force: true });
});
const can = process.geteuid?.() === 0 && spawnSync("perl", ["-e", "1"]).status === 0 && ["x64", "arm64"].includes(process.arch);
const perls = (): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/stat`, "utf8").includes(`(perl) S ${process.pid} `);
    } catch {
      return false;
    }
  });
const untilTrue = async (what: () => boolean): Promise<void> => {
  for (let count = 0; count < 200 && !what(); count++) await pause(25);
  expect(what()).toBe(true);
};

(can ? test : test.skip)("who wrote each of several files is told, by one process for all; what this program writes is nobody's", async () => {
  const [one, other, third] = ["one", "other", "a third"].map((name) => join(top, name)) as [string, string, string];
  for (const file of [one, other, third]) writeFileSync(file, "");
  writers = openWriters();
  const { watch, lastOf, forget } = writers;
  watch(one);
  watch(other);
  watch(third);
  await untilTrue(() => {
    writeFileSync(one, "own");
    spawnSync("sh", ["-c", 'echo x >"$0"', one]);
    return lastOf(one) !== undefined;
  });
  expect(lastOf(one)).toMatch(/^process \d+( \(sh\)|, which is gone)$/);
  expect(lastOf(other)).toBeUndefined();
  spawnSync("tee", [other, third], { input: "x" });
  await untilTrue(() => lastOf(other) !== undefined && lastOf(third) !== undefined);
  expect(perls()).toHaveLength(1);
  forget(third);
  watch(third);
  writeFileSync(third, "own");
  await pause(100);
  expect(lastOf(third)).toBeUndefined();
  writers.close();
  await untilTrue(() => perls().length === 0);
});
