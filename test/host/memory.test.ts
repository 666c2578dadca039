import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import { kernelFiles } from "../../src/host/cgroupfs.ts";
import { oomKills } from "../../src/host/memory.ts";
import { Tree } from "../../src/host/tree.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-memory-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

/** runc makes a cgroup of its own below the replica's, and the kernel of v1 counts a kill there. */
test("a kill in a cgroup that somebody made below since the last look is counted", () => {
  const memory = { id: "memory", version: 1, mount: top, outer: "", controllers: new Set(["memory"]), offered: new Set(["memory"]) } as const;
  const place = join(top, "holdfast", "w@0");
  const count = (directory: string, kills: number): void =>
    writeFileSync(join(directory, "memory.oom_control"), `oom_kill_disable 0\nunder_oom 0\noom_kill ${kills}\n`);
  mkdirSync(place, { recursive: true });
  count(place, 0);
  const files = kernelFiles(10);
  const kills = (): number => oomKills(files, new Tree("holdfast"), { controllers: { all: [memory], core: memory } }, "w@0" as CgroupPath);
  files.readAll(place, ["memory.oom_control"]);
  expect(kills()).toBe(0);
  mkdirSync(join(place, "container"));
  count(join(place, "container"), 1);
  expect(kills()).toBe(1);
  files.close();
});
