// Measures repair: somebody else writes to a limit, and the time until it is as declared again.
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { LONGEST_SERIES, openFile, untilReads } from "./appears.js";
import { kernelFiles, placeOf } from "./groups.js";

/** After so many ms a value counts as lost. */
const LOST = 2000;

/** Repair times in ms, in order, and how many were never repaired. */
export async function measureDrift({ root }, count, writes) {
  const files = kernelFiles(count);
  const times = [];
  const lost = [];
  const began = performance.now();
  for (let write = 0; write < writes && performance.now() - began < LONGEST_SERIES; write++) {
    const victim = files[Math.floor(Math.random() * files.length)];
    const path = placeOf(victim, root);
    const file = openFile(path);
    const descriptor = openSync(path, constants.O_WRONLY);
    const start = performance.now();
    writeSync(descriptor, victim.drifted);
    const took = untilReads(file, victim.value, start, LOST);
    closeSync(descriptor);
    file.close();
    if (took === undefined) lost.push(victim.name);
    else times.push(took);
    await pause(2 + Math.random() * 6);
  }
  return { times, lost: lost.length, lostFiles: [...new Set(lost)] };
}
