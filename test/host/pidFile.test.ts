/** Whom a pid file may name: it is the word of whoever can write it. */
import { chmodSync, chownSync, lchownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pidIn } from "../../src/host/pidFile.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-pid-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const NOBODY = 65534;
const file = (text: string, name = "x.pid"): string => {
  writeFileSync(join(top, name), text, { mode: 0o644 });
  return join(top, name);
};

test("its owner's own process, and nothing that is no number", () => {
  expect(pidIn(file(`${process.pid}\n`))).toBe(process.pid);
  for (const text of ["", "x", "1", "-5", "9".repeat(100)]) expect(pidIn(file(text))).toBeUndefined();
  expect(pidIn(join(top, "none"))).toBeUndefined();
});

(process.geteuid?.() === 0 ? test : test.skip)("root's word counts for anybody, but not what others can write, nor where they let it point", () => {
  const path = file(String(process.pid));
  chmodSync(path, 0o666);
  expect(pidIn(path)).toBeUndefined();
  chmodSync(path, 0o644);
  const link = join(top, "link.pid");
  symlinkSync(path, link);
  expect(pidIn(link)).toBe(process.pid);
  lchownSync(link, NOBODY, NOBODY);
  expect(pidIn(link)).toBeUndefined();
  chownSync(path, NOBODY, NOBODY);
  expect(pidIn(path)).toBeUndefined();
});
