// Knows Holdfast's controller as a real process: started, ready, ended; what it has used of CPU and memory.
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { HOLDFAST } from "./build.js";
import { verify, writeManifests } from "./groups.js";
import { directory, end, memory, removeRoot, rootNamed, start } from "./sandbox.js";

const LONGEST_START = 60_000;

/** Starts it on `count` groups; resolves when all are in force and watched. */
export async function startDaemon(count, { perFile }) {
  const scratch = join(directory, `daemon-${count}`);
  const manifests = join(scratch, "manifests");
  const root = rootNamed("daemon");
  const runDirectory = join(memory, `daemon-${count}`);
  writeManifests(manifests, count, perFile);
  const log = join(scratch, "output");
  // To a file: nobody reads a pipe while the benchmark polls.
  const output = openSync(log, "w");
  const words = [HOLDFAST, "run", "-f", manifests, "--root", root, "--run-dir", runDirectory, "--log-dir", join(scratch, "log")];
  const child = start(process.execPath, [...words, "--resync", "10s", "--log-format", "json"], ["ignore", output, output]);
  closeSync(output);
  const began = performance.now();
  while (!readFileSync(log, "utf8").includes("in force; watching")) {
    if (child.exitCode !== null || performance.now() - began > LONGEST_START)
      throw new Error(`the controller did not start: ${readFileSync(log, "utf8").slice(-2000)}`);
    await pause(20);
  }
  const readyMs = performance.now() - began;
  verify(root, count, "holdfast run");
  const stop = async () => {
    await end(child);
    removeRoot(root);
  };
  return { pid: child.pid, root, manifests, scratch, runDirectory, readyMs, stop };
}

/** CPU time of all threads in ms: from the scheduler in nanoseconds where it tells, else in ticks of 10 ms. */
export function cpuOf(pid) {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`);
  if (threads.every((thread) => existsSync(`${thread}/schedstat`)))
    return threads.reduce((sum, thread) => sum + Number(readFileSync(`${thread}/schedstat`, "utf8").split(" ")[0]), 0) / 1e6;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory in MiB: as the kernel counts pages, and with shared ones divided among their users. */
export function memoryOf(pid) {
  const kilobytes = (file, name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))?.[1]) / 1024;
  return { rssMiB: kilobytes("status", "VmRSS"), pssMiB: kilobytes("smaps_rollup", "Pss") };
}
