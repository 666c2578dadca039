/** Files that somebody named must not make a controller wait, or eat. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { copyHashed } from "../../src/host/layout.ts";
import { NotReadable, readRegular } from "../../src/host/regular.ts";

const top = mkdtempSync(join(tmpdir(), "holdfast-regular-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
spawnSync("mkfifo", [join(top, "pipe")]);
writeFileSync(join(top, "large"), "x".repeat(2000));

test.each([
  [join(top, "pipe"), "is no regular file"],
  ["/dev/zero", "is no regular file"],
  [top, "is no regular file"],
  [join(top, "large"), "is larger than 1 KiB"],
  [join(top, "nosuch"), "does not exist"],
])("%s", async (file, message) => {
  expect(() => readRegular(file, 1024)).toThrow(new NotReadable(message, ""));
  if (message.includes("large")) expect(readRegular(file, 2000).length).toBe(2000);
  else await expect(copyHashed(file, join(top, "copy"), "it")).rejects.toThrow(`it ${message}`);
});
