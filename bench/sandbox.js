// Knows what the benchmark leaves on the machine while it runs, and takes all of it away at the end, however it ends:
// cgroups named holdfast-test-PID…, one temporary directory, its own child processes.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { allMounts } from "./hierarchies.js";

const PREFIX = `holdfast-test-${process.pid}`;
const children = new Set();
export const directory = mkdtempSync(join(tmpdir(), `${PREFIX}-`));
/** In memory, as /run is on a host: what writes to a disk at each step waits for that now and then. */
export const memory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), `${PREFIX}-`));

/** A root cgroup of ours; made by whoever is measured. */
export const rootNamed = (label) => `${PREFIX}-${label}`;

/** The environment without what slows Node's start (a CA bundle costs 85 ms) or changes how it runs. */
function cleanEnvironment() {
  const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, NODE_COMPILE_CACHE: _cache, ...rest } = process.env;
  return rest;
}

export const sleep = (milliseconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

/** Starts a process that ends with the benchmark at the latest. */
export function start(command, words, stdio) {
  const child = spawn(command, words, { env: cleanEnvironment(), stdio });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

/** Asks a child to end, and waits for it. */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await gone;
  clearTimeout(late);
}

/** Runs a command to its end; throws when it fails. */
export function finish(command, words) {
  const { status, stdout, stderr, error } = spawnSync(command, words, { env: cleanEnvironment(), encoding: "utf8", maxBuffer: 2 ** 28 });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${words.join(" ").slice(0, 200)} ended with ${status}: ${stderr.slice(0, 2000)}`);
  return stdout;
}

/** Removes a root and all below it, then waits until the kernel has let go of the groups. */
export function removeRoot(root) {
  if (!root.startsWith(PREFIX)) throw new Error(`not ours: ${root}`);
  for (const mount of allMounts) removeTree(join(mount, root));
  const before = Date.now();
  while (groupsInKernel() > atStart + 20 && Date.now() - before < 3000) sleep(20);
}

function removeTree(path) {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(path, entry.name));
  for (let attempt = 1; ; attempt++) {
    try {
      return rmdirSync(path);
    } catch (error) {
      if (error.code === "ENOENT") return;
      if (attempt === 100) throw error;
      sleep(20);
    }
  }
}

function groupsInKernel() {
  const lines = readFileSync("/proc/cgroups", "utf8").split("\n");
  return Math.max(0, ...lines.flatMap((line) => (/^(cpu|memory|pids)\t/.test(line) ? [Number(line.split("\t")[2])] : [])));
}
const atStart = groupsInKernel();

/** Removes everything; also called at the end of the process. */
function cleanUp() {
  for (const child of children) child.kill("SIGKILL");
  for (const child of children) for (let wait = 0; wait < 100 && existsSync(`/proc/${child.pid}/maps`) && alive(child.pid); wait++) sleep(20);
  for (const mount of allMounts) for (const name of readdirSync(mount)) if (name.startsWith(`${PREFIX}-`)) removeTree(join(mount, name));
  for (const path of [directory, memory]) rmSync(path, { recursive: true, force: true });
}

function alive(pid) {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

process.on("exit", cleanUp);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(128 + (constants.signals[signal] ?? 0)));
