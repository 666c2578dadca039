import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type FileWatch, isBeingWritten, watchFiles } from "../../src/host/watchFiles.ts";

let top: string;
let watch: FileWatch;
let heard = 0;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-watch-"));
  heard = 0;
  watch = watchFiles(() => heard++, 400);
});
afterEach(() => {
  watch.close();
  rmSync(top, { recursive: true, force: true });
});

test("tells of its files alone, once it is calm", async () => {
  const file = join(top, "env");
  writeFileSync(file, "A=1");
  watch.sync(new Set([file, "/no/such/directory/env"]));
  writeFileSync(join(top, "other"), "x");
  await pause(700);
  expect(heard).toBe(0);
  for (let part = 0; part < 5; part++) {
    writeFileSync(file, `B=${part}\n`, { flag: "a" });
    await pause(20);
  }
  await pause(900);
  expect(heard).toBe(1);
  writeFileSync(`${file}.tmp`, "A=3");
  renameSync(`${file}.tmp`, file);
  await pause(900);
  expect(heard).toBe(2);
  watch.sync(new Set());
  writeFileSync(file, "A=4");
  await pause(700);
  expect(heard).toBe(2);
});

test("tells of a link that is switched", async () => {
  for (const version of ["v1", "v2"]) mkdirSync(join(top, `..${version}`));
  symlinkSync("..v1", join(top, "..data"));
  symlinkSync("..data/env", join(top, "env"));
  watch.sync(new Set([join(top, "env")]));
  symlinkSync("..v2", join(top, "..next"));
  renameSync(join(top, "..next"), join(top, "..data"));
  await pause(900);
  expect(heard).toBe(1);
});

test("what was changed a moment ago may still be being written", () => {
  const file = join(top, "env");
  expect(isBeingWritten(file)).toBe(false);
  writeFileSync(file, "A=1");
  expect(isBeingWritten(file)).toBe(true);
  utimesSync(file, new Date(Date.now() - 2000), new Date(Date.now() - 2000));
  expect(isBeingWritten(file)).toBe(false);
});
