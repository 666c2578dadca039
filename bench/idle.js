// Measures a controller that has nothing to do: CPU over some seconds (resyncs included), and memory.
import { setTimeout as pause } from "node:timers/promises";
import { cpuOf, memoryOf } from "./daemon.js";

/** After the start: its status file is written, its files are opened at the first two resyncs, its garbage is collected. */
const SETTLE = 22_000;

export async function measureIdle({ pid }, seconds) {
  await pause(SETTLE);
  const before = cpuOf(pid);
  const start = performance.now();
  await pause(seconds * 1000);
  const percent = ((cpuOf(pid) - before) / (performance.now() - start)) * 100;
  return { percent, ...memoryOf(pid) };
}
