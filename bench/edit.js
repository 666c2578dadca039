// Measures the way from a saved manifest to the kernel: an edited file is renamed into place, and the limit follows.
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { LONGEST_SERIES, openFile, untilReads } from "./appears.js";
import { kernelFiles, placeOf } from "./groups.js";

const LOST = 2000;

/**
 * Edits pids.max of groups at random. `beside`: the new text is first written under a hidden name in the manifest
 * directory, as editors do; else outside of it, so that the rename is all that the controller sees.
 */
export async function measureEdit({ root, manifests, scratch }, edits, beside) {
  const names = readdirSync(manifests).filter((name) => name.endsWith(".yaml"));
  const pids = new Map(kernelFiles(1).flatMap((file) => (file.name === "pids.max" ? [["pids", file]] : []))).get("pids");
  const times = [];
  let lost = 0;
  const began = performance.now();
  for (let edit = 0; edit < edits && performance.now() - began < LONGEST_SERIES; edit++) {
    const name = names[Math.floor(Math.random() * names.length)];
    const target = join(manifests, name);
    const value = String(1000 + edit + (beside ? 100_000 : 0));
    const group = name.replace(".yaml", "");
    const file = openFile(placeOf({ ...pids, group }, root));
    const temporary = beside ? join(manifests, `.${name}.tmp`) : join(scratch, `${name}.tmp`);
    writeFileSync(temporary, readFileSync(target, "utf8").replace(/pids\.max: \d+/, `pids.max: ${value}`));
    const start = performance.now();
    renameSync(temporary, target);
    const took = untilReads(file, value, start, LOST);
    file.close();
    if (took === undefined) lost++;
    else times.push(took);
    await pause(5 + Math.random() * 20);
  }
  return { times, lost };
}
