import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { followManifests } from "../../src/cli/followManifests.ts";
import { ManifestDirectory } from "../../src/host/manifestFiles.ts";
import { ManifestSet } from "../../src/reconcile/manifests.ts";
import { group } from "../support/manifests.ts";
import { type Simulation, simulate } from "../support/simulated.ts";

let simulation: Simulation;
let directory: string;
beforeEach(() => {
  simulation = simulate(2);
  directory = mkdtempSync(join(tmpdir(), "holdfast-follow-"));
});
afterEach(async () => {
  await simulation.close();
  rmSync(directory, { recursive: true });
});

test("a file that is being written stays as it was until it is whole, and then counts", async () => {
  const { engine } = simulation;
  const [one, other] = ["one.yaml", "other.yaml"].map((name) => join(directory, name)) as [string, string];
  writeFileSync(one, group("a", "{limits: {pids.max: 5}}"));
  writeFileSync(other, group("b"));
  for (const file of [one, other]) utimesSync(file, 1, 1);
  const set = new ManifestSet(directory);
  set.update(new ManifestDirectory(directory).scan().contents);
  engine.load(set.manifests);
  const followed = await followManifests({ engine, set, directory }, { root: "holdfast-test", trust: "any" });
  try {
    const seen = new Set<unknown>();
    writeFileSync(one, group("a", "{limits: {pids.max: 6}}"));
    for (let look = 0; look < 60; look++) {
      await followed.refresh();
      seen.add(engine.desired.resources.get("LimitGroup/a")?.limits["pids.max"]);
      await pause(5);
    }
    expect([...seen].map(String)).toEqual(["5", "6"]);
  } finally {
    await followed.close();
  }
});
