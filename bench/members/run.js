// Measures how soon a new process is where it belongs: Holdfast's members with the kernel's events and without, and cgrulesengd; in turns, one at work at a time. And what that costs
// with 1,000 processes and 1,000 groups. See ../README.md.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { buildMeasured, HOLDFAST } from "../build.js";
import { cpuOf, memoryOf } from "../daemon.js";
import { allMounts } from "../hierarchies.js";
import { directory, end, finish, removeRoot, rootNamed, sleep, start } from "../sandbox.js";
import { median, quantile } from "../statistics.js";
import { timed } from "../timed.js";

const { values: options } = parseArgs({
  options: { newcomers: { type: "string", default: "300" }, processes: { type: "string", default: "1000" }, groups: { type: "string", default: "1000" } },
});
const [newcomers, processes, groups] = [options.newcomers, options.processes, options.groups].map(Number);
if (process.geteuid?.() !== 0) {
  console.error("bench: processes are moved between cgroups here: run as root");
  process.exit(2);
}

await buildMeasured();
const program = join(directory, "newcomer");
finish("gcc", ["-O2", "-o", program, join(import.meta.dirname, "newcomer.c")]);
/** A program of a name that nobody else has. */
function named(name) {
  const file = join(directory, name);
  copyFileSync(program, file);
  return file;
}

/** Holdfast with one rule. `events`: false takes perl out of its way. */
async function holdfast(label, manifest, events = true) {
  const root = rootNamed(label);
  const scratch = join(directory, label);
  mkdirSync(join(scratch, "manifests"), { recursive: true });
  writeFileSync(join(scratch, "manifests", "a.yaml"), manifest);
  const words = [
    HOLDFAST,
    "run",
    "-f",
    join(scratch, "manifests"),
    "--root",
    root,
    "--run-dir",
    join(scratch, "run"),
    "--log-dir",
    join(scratch, "log"),
    "--log-format",
    "json",
  ];
  const command = events ? [process.execPath, ...words] : ["env", "PATH=/nowhere", process.execPath, ...words];
  // To a file: nobody would read a pipe while this program waits for a newcomer, and a full one holds up whoever writes.
  const output = join(scratch, "output");
  const child = start(command[0], command.slice(1), ["ignore", openSync(output, "w"), "inherit"]);
  while (!readFileSync(output, "utf8").includes("in force; watching")) await pause(20);
  await pause(1500);
  return { child, root, stop: () => end(child).then(() => removeRoot(root)) };
}
const group = (name, members) =>
  `apiVersion: holdfast.dev/v1alpha1\nkind: LimitGroup\nmetadata: {name: ${name}}\nspec: {limits: {pids.max: 5000}, members: [${members}]}\n`;

/** cgrulesengd with one rule, on configuration files of its own. */
async function cgrulesengd(name) {
  if (spawnSync("which", ["cgrulesengd"]).status !== 0) return undefined;
  const mount = allMounts.find((path) => existsSync(join(path, "pids.max")) || path.endsWith("/pids"));
  if (!mount?.endsWith("/pids")) return undefined;
  const root = rootNamed("peer");
  mkdirSync(join(mount, root));
  const rules = join(directory, "cgrules.conf");
  writeFileSync(rules, `*:${named(name)} pids ${root}\n`);
  // It reads /etc/cgrules.conf and nothing else: it sees ours there, in a mount namespace of its own.
  const script = `mkdir -p /etc/cgconfig.d && touch /etc/cgrules.conf /etc/cgconfig.conf && mount --bind ${rules} /etc/cgrules.conf && exec cgrulesengd -n -Q -f ${join(directory, "cgrulesengd.log")}`;
  const made = ["/etc/cgrules.conf", "/etc/cgconfig.conf", "/etc/cgconfig.d"].filter((path) => !existsSync(path));
  const child = start("unshare", ["-m", "sh", "-c", script], "ignore");
  await pause(1500);
  const stop = async () => {
    await end(child);
    removeRoot(root);
    for (const path of made) rmSync(path, { recursive: true });
  };
  if (child.exitCode === null) return { child, root, stop };
  await stop();
  return undefined;
}

const launch = named("launch");
const kernel = await holdfast("events", group("g", "{comm: hf-events}"));
const looks = await holdfast("looks", group("g", "{comm: hf-looks}"), false);
const peer = await cgrulesengd("hf-peer");
const contenders = [
  { label: "Holdfast, kernel's events", file: named("hf-events"), needle: `${kernel.root}/g/members`, child: kernel.child },
  { label: "Holdfast, looks", file: named("hf-looks"), needle: `${looks.root}/g/members`, child: looks.child },
  ...(peer ? [{ label: "cgrulesengd", file: join(directory, "hf-peer"), needle: peer.root, child: peer.child }] : []),
];
/** A daemon and what it has started. */
const family = (pid) => [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)];
const signal = ({ child }, name) => {
  for (const pid of family(child.pid)) process.kill(pid, name);
};
for (const contender of contenders) {
  Object.assign(contender, { times: [], cpu: 0 });
  signal(contender, "SIGSTOP");
}
for (let round = 0; round < newcomers; round++)
  for (let turn = 0; turn < contenders.length; turn++) {
    const contender = contenders[(round + turn) % contenders.length];
    signal(contender, "SIGCONT");
    // What it has missed meanwhile it catches up with first.
    sleep(60 + (round % 7));
    const before = cpuOf(contender.child.pid);
    contender.times.push(Number(finish(launch, [contender.file, contender.needle])) / 1e6);
    sleep(20);
    contender.cpu += cpuOf(contender.child.pid) - before;
    signal(contender, "SIGSTOP");
  }
for (const contender of contenders) signal(contender, "SIGCONT");
const milliseconds = (number) => `${number.toFixed(2)} ms`;
for (const { label, times, child, cpu } of contenders) {
  const missed = times.filter((time) => time === 0).length;
  const found = times.filter((time) => time > 0);
  console.log(
    `${label.padEnd(28)} p50 ${milliseconds(median(found))}  p99 ${milliseconds(quantile(found, 0.99))}  missed ${missed} of ${times.length}  CPU ${milliseconds(cpu / newcomers)} per new member  RSS ${memoryOf(child.pid).rssMiB.toFixed(0)} MiB`,
  );
}
if (peer)
  console.log(
    `ratio to cgrulesengd, p50       ${(median(contenders[0].times) / median(contenders[2].times)).toFixed(2)} with events, ${(median(contenders[1].times) / median(contenders[2].times)).toFixed(2)} with looks`,
  );
for (const daemon of [kernel, looks, peer]) await daemon?.stop();

// Many members in many groups, and nothing new.
copyFileSync("/bin/sleep", join(directory, "hf-many"));
// Nobody's children: what a controller has started is not drawn in, and this program has started the controller, not the other way round.
const many = finish("sh", ["-c", `for i in $(seq ${processes}); do ${join(directory, "hf-many")} 9000$i >/dev/null 2>&1 & echo $!; done`])
  .trim()
  .split("\n")
  .map(Number);
/** Also when something fails before they would be. */
const endMany = () => {
  for (const pid of many.splice(0)) process.kill(pid, "SIGKILL");
};
process.on("exit", endMany);
const manifest = Array.from({ length: groups }, (_, index) =>
  group(`g${index}`, index < processes ? `{comm: hf-many, cmdline: ' 9000${index + 1}$'}` : "{comm: nobody}"),
).join("---\n");
const crowded = await holdfast("many", manifest);
// From the third resync on: the first ones look at everything.
await pause(25_000);
const [seconds, before] = [30, cpuOf(crowded.child.pid)];
const there = many.filter((pid) => readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(`${crowded.root}/`)).length;
await pause(seconds * 1000);
console.log(
  `${processes} processes, ${groups} groups: ${there} are where they belong; idle ${((cpuOf(crowded.child.pid) - before) / (seconds * 10)).toFixed(2)} % of a core, RSS ${memoryOf(crowded.child.pid).rssMiB.toFixed(0)} MiB`,
);
// What `audit` tells of all that, against the peer that lists processes with their cgroups.
const scratch = join(directory, "many");
const audit = [
  HOLDFAST,
  "audit",
  "-o",
  "json",
  "-f",
  join(scratch, "manifests"),
  "--root",
  crowded.root,
  "--run-dir",
  join(scratch, "run"),
  "--log-dir",
  join(scratch, "log"),
];
const costs = { audit: [], ps: [] };
for (let pass = 0; pass < 11; pass++) {
  costs.audit.push(timed(process.execPath, audit, [0, 1, 2]));
  costs.ps.push(timed("ps", ["-e", "-o", "pid,ppid,uid,gid,comm,args,cgroup"]));
}
const of = (name, field) => median(costs[name].map((cost) => cost[field]));
for (const name of ["audit", "ps"])
  console.log(
    `${name.padEnd(5)} of the whole host: ${milliseconds(of(name, "ms"))}, CPU ${milliseconds(of(name, "cpuMs"))}, RSS ${of(name, "rssMiB").toFixed(0)} MiB`,
  );
console.log(`ratio audit to ps              ${(of("audit", "ms") / of("ps", "ms")).toFixed(1)}`);
endMany();
await pause(500);
await crowded.stop();
