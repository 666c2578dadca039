// Measures what serving costs: how soon drift is repaired while 1,000 groups are asked about, 1,000 idle watchers, memory over minutes of watches that come and go, and holdfast top
// against systemd-cgtop. See ../README.md.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { buildMeasured, HOLDFAST } from "../build.js";
import { cpuOf, memoryOf, startDaemon } from "../daemon.js";
import { measureDrift } from "../drift.js";
import { allMounts } from "../hierarchies.js";
import { end, start } from "../sandbox.js";
import { median, quantile } from "../statistics.js";
import { timed } from "../timed.js";

const { values: options } = parseArgs({
  options: { groups: { type: "string", default: "1000" }, writes: { type: "string", default: "1000" }, churn: { type: "string", default: "600" } },
});
const [groups, writes, churnSeconds] = [options.groups, options.writes, options.churn].map(Number);
await buildMeasured();
const daemon = await startDaemon(groups, { perFile: 100 });
const socket = join(daemon.runDirectory, "holdfast.sock");
const milliseconds = (number) => `${number.toFixed(2)} ms`;

/** @returns {Promise<{ told: () => string, stop: () => Promise<void> }>} */
async function load(perSecond, watchers, churn) {
  const child = start(
    process.execPath,
    [join(import.meta.dirname, "load.js"), socket, String(perSecond), String(watchers), String(churn)],
    ["ignore", "pipe", "inherit"],
  );
  let output = "";
  child.stdout.on("data", (text) => (output += text));
  while (!output.includes("ready")) await pause(50);
  return { told: () => output.replace("ready\n", "").trim(), stop: () => end(child) };
}
const rest = async (seconds) => {
  const before = cpuOf(daemon.pid);
  await pause(seconds * 1000);
  return (cpuOf(daemon.pid) - before) / (seconds * 10);
};
const drift = async (label) => {
  const { times, lost } = await measureDrift(daemon, groups, writes);
  console.log(
    `drift repaired, ${label.padEnd(24)} p50 ${milliseconds(median(times))}  p99 ${milliseconds(quantile(times, 0.99))}  of ${times.length}, lost ${lost}`,
  );
};
// What is sampled often at the beginning is sampled seldom from then on.
await pause(40_000);
console.log(`at rest                                  ${(await rest(20)).toFixed(2)} % of a core, RSS ${memoryOf(daemon.pid).rssMiB.toFixed(0)} MiB`);
await drift("nobody asks");
const asking = await load(200, 0, 0);
await pause(1000);
await drift("200 requests/s");
await asking.stop();
console.log(`the requests                             ${asking.told()}`);
const idle = await load(0, 1000, 0);
await pause(15_000);
console.log(`1,000 idle watchers                      ${(await rest(20)).toFixed(2)} % of a core, RSS ${memoryOf(daemon.pid).rssMiB.toFixed(0)} MiB`);
await idle.stop();

if (churnSeconds > 0) {
  const churning = await load(20, 50, 20);
  await pause(60_000);
  const sizes = [];
  for (let second = 0; second < churnSeconds; second += 30) {
    sizes.push(memoryOf(daemon.pid).rssMiB);
    await pause(30_000);
  }
  await churning.stop();
  const half = Math.floor(sizes.length / 2);
  console.log(
    `watch churn, ${churnSeconds} s                       RSS median ${median(sizes.slice(0, half)).toFixed(0)} MiB in the first half, ${median(sizes.slice(half)).toFixed(0)} MiB in the second`,
  );
}

/** Groups where something runs. */
const BUSY = 100;
const top = [HOLDFAST, "top", "--root", daemon.root, "--run-dir", daemon.runDirectory, "--log-dir", join(daemon.scratch, "log"), "--trust", "any"];
const measured = async (label, words, seconds = 60) => {
  await pause(15_000);
  // While it is asked by nobody, ms a second. What it samples every 30 s, and looks at every 10, is in each of these windows as often.
  const idleCpu = (await rest(60)) * 10;
  const terminal = start(
    "script",
    ["-qec", `stty rows 40 cols 150; exec ${[process.execPath, ...words].join(" ")}`, "/dev/null"],
    ["ignore", "ignore", "inherit"],
  );
  await pause(5000);
  const pid = Number(readFileSync(`/proc/${terminal.pid}/task/${terminal.pid}/children`, "utf8").trim());
  const before = [pid, daemon.pid].map(cpuOf);
  await pause(seconds * 1000);
  const [own, controllers] = [pid, daemon.pid].map((one, index) => (cpuOf(one) - before[index]) / seconds);
  // The controller reads for it: what that takes more than at rest counts too.
  const all = own + Math.max(0, controllers - idleCpu);
  console.log(`${label.padEnd(40)} ${milliseconds(all)} CPU a look (${milliseconds(own)} its own), ${(all / 10).toFixed(2)} % of a core at 1 Hz`);
  process.kill(pid, "SIGTERM");
  await end(terminal);
};
// In a terminal of 40 lines all is read of those, and of the rest what is sorted by.
await measured("holdfast top, live", top);
await measured("holdfast top, all files of all groups", [...top, "-n", "1000"], 30);
if (spawnSync("which", ["systemd-cgtop"]).status === 0) {
  const cgtop = (count) => timed("systemd-cgtop", ["-b", "-n", String(count), "-d", "1", "--depth=5"], [0, 1]).cpuMs;
  const [few, more] = [cgtop(2), cgtop(22)];
  console.log(`systemd-cgtop                            ${milliseconds((more - few) / 20)} CPU a look`);
}
// Not all of them at rest: a hundred processes that wake up ten times a second, for ten minutes at the longest.
const command = ["perl", "-e", "select undef, undef, undef, 0.1 for 1 .. 6000"];
const workload = (_, index) =>
  JSON.stringify({ apiVersion: "holdfast.dev/v1alpha1", kind: "Workload", metadata: { name: `busy-${index}` }, spec: { command, restartPolicy: "Never" } });
const declared = join(daemon.manifests, "busy.yaml");
const namesIn = (path) => (existsSync(path) ? readdirSync(path) : []);
const running = () => Math.max(...allMounts.map((mount) => namesIn(join(mount, daemon.root)).filter((name) => name.startsWith("busy-")).length));
writeFileSync(declared, Array.from({ length: BUSY }, workload).join("\n---\n"));
for (let wait = 0; running() < BUSY && wait < 300; wait++) await pause(100);
await measured(`holdfast top, live, ${BUSY} of them at work`, top);
rmSync(declared);
while (running() > 0) await pause(100);
await daemon.stop();
