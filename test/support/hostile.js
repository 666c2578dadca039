// A controller that was taken over: where `holdfast run --user` starts its controller, this throws hostile calls at the monitor instead, one after the other, and writes down what became of them. Everything
// else is the real program.
import { readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { deserialize } from "node:v8";
import { load } from "../../bin/program.js";

const argv = process.argv.slice(2);
if (!argv.includes("--monitored")) process.exit(await load().main(argv));

const optionOf = (name) => argv[argv.indexOf(name) + 1];
const top = dirname(optionOf("--run-dir"));
/** What there is to harm, and how often to try. */
const { calls, seed, controller, pids, cgroups, root, declared, files } = JSON.parse(readFileSync(join(top, "targets.json"), "utf8"));

// mulberry32: the same calls for the same seed.
let state = seed;
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const pick = (list) => list[Math.floor(random() * list.length)];

function read(length) {
  const buffer = Buffer.alloc(length);
  for (let got = 0; got < length; ) {
    const count = readSync(3, buffer, got, length - got, null);
    if (count === 0) throw new Error("the monitor is gone");
    got += count;
  }
  return buffer;
}
function send(line) {
  const bytes = Buffer.from(`${line}\n`);
  for (let written = 0; written < bytes.length; ) written += writeSync(3, bytes, written);
  return deserialize(read(read(4).readUInt32BE()));
}
const call = (...words) => send(JSON.stringify(words));

const [attempt] = call("attempts", null).ok;
const main = attempt.main.pid;
const holder = attempt.holder.pid;
const pid = () => pick([...pids, 1, 2, process.pid, process.ppid, holder, main + 1, 2147483647].filter((each) => each !== main));
const names = [
  "..",
  "../..",
  "../../..",
  ".",
  "",
  ".holders",
  `.holders/${attempt.id}`,
  "nobody",
  "web@1",
  "web@0/..",
  "grp/../..",
  "\u0000",
  "a\nb",
  "x".repeat(300),
  "☃",
  ...declared,
];
const values = [
  "max",
  "-1",
  "0",
  "1",
  "1000000000000",
  "9999999",
  "100000 1000",
  "999999 1000",
  "8:0 rbps=max",
  "FROZEN",
  "THAWED",
  "+devices",
  "-memory",
  "+memory -pids",
  "a",
  "a *:* rwm",
  "",
  "\n",
  "1;rm -rf /",
  "0-1023",
];
const knobs = [
  "memory.max",
  "memory.limit_in_bytes",
  "memory.memsw.limit_in_bytes",
  "cpu.max",
  "cpu.cfs_quota_us",
  "cpu.shares",
  "pids.max",
  "cpuset.cpus",
  "cpuset.mems",
  "freezer.state",
  "cgroup.freeze",
  "cgroup.kill",
  "cgroup.type",
  "cgroup.procs",
  "cgroup.threads",
  "tasks",
  "cgroup.subtree_control",
  "devices.allow",
  "devices.deny",
  "release_agent",
  "notify_on_release",
  "cgroup.clone_children",
  "cgroup.event_control",
  "memory.force_empty",
  "memory.reclaim",
  "..",
  "../../release_agent",
];
const signals = ["SIGKILL", "SIGTERM", "SIGSTOP", "SIGCONT", "constructor", "toString", "0", "-1", "sigkill", ""];
const spots = () =>
  pick([
    ...cgroups,
    ...cgroups.map((mount) => `${mount}/${root}`),
    ...cgroups.map((mount) => `${mount}/${root}/${pick(names)}`),
    ...files,
    "/",
    "/etc",
    "/proc/1",
    "/sys/fs/cgroup/../cgroup",
  ]);
const attempts = () =>
  pick([
    `${attempt.id}x`,
    attempt.id.slice(0, -1),
    "web@0@",
    "web@0@../..",
    `../${attempt.id}`,
    `${attempt.id}/`,
    "nobody@0@zzz",
    "",
    "@@",
    "web@0@zz/../../x",
  ]);
const odd = () => pick([null, undefined, true, 0, -1, 1.5, 1e308, [], {}, "", [[]], { __proto__: null }, "x".repeat(5000), Array(500).fill("y")]);

/** Each gives a line that no monitor may do anything for. */
const makers = [
  () => JSON.stringify([pick(["write", "writeAndRead"]), `${spots()}/${pick(knobs)}`, pick(values)]),
  () => JSON.stringify([pick(["write", "writeAndRead"]), `${spots()}/cgroup.procs`, String(pid())]),
  () => JSON.stringify([pick(["write", "writeAndRead"]), pick(files), pick(values)]),
  () => JSON.stringify(["makeDirectory", `${spots()}/${pick(["evil", "..", "web@9", ".holders", "a/b", ".controller-1-1-1"])}`]),
  () =>
    JSON.stringify([
      "removeDirectory",
      pick([
        pick([...cgroups, ...files, "/etc", ...cgroups.map((mount) => `${mount}/${root}`)]),
        ...cgroups.map((mount) => `${mount}/${root}/${pick(declared)}`),
        ...cgroups.map((mount) => `${mount}/${root}/.holders/${attempt.id}`),
      ]),
    ]),
  () =>
    JSON.stringify([
      "start",
      pick([attempts(), attempt.id, "web@0@new1"]),
      pick(["web@0", "web@1", "nobody@0", "__proto__", "constructor", "../x@0"]),
      pick(["x", "", attempt.meta.revision, "0".repeat(64)]),
      "2026-01-01T00:00:00.000Z",
    ]),
  () => JSON.stringify(["signal", pick([attempts(), attempt.id]), pid(), pick(signals)]),
  () => JSON.stringify(["signalAll", pick(["", "..", "grp", ".holders", "../web@0", "grp/web@0/..", "web@0/.", "web", "/web@0", "grp//web@0"]), pick(signals)]),
  () => JSON.stringify(["kill", pick(["", "..", "grp", ".holders", "../x@0", "grp/web@0/..", "./web@0", "/", "grp/web@0/"])]),
  () =>
    JSON.stringify([
      "handle",
      pick([attempts(), attempt.id]),
      pick([
        '{"exec":["/bin/sh","-c","touch /tmp/holdfast-evil"]}',
        '{"exec":[]}',
        "{}",
        "null",
        "[",
        '{"exec":["/bin/true"," "]}',
        '{"exec":["/bin/true"],"x":1}',
      ]),
      1000,
    ]),
  () => JSON.stringify(["release", pick([attempts(), attempt.id]), pid()]),
  () => JSON.stringify(["hold", attempts(), pid()]),
  () => JSON.stringify(["void", pick([attempts(), attempt.id])]),
  () => JSON.stringify([pick(["imageState", "prepareImage"]), pick(["{}", '{"image":{"layout":"/etc","digest":"sha256:00"}}', "", "[", "null"])]),
  () => JSON.stringify(["removeImage", pick(["..", "../..", ".", "", "a".repeat(64), "/etc"])]),
  () => JSON.stringify(["giveLog", pick(["..", "../../etc", "/etc", "", ".", "nobody", "web/..", "web/../../..", "__proto__"])]),
  () =>
    JSON.stringify([pick(["constructor", "__proto__", "toString", "hasOwnProperty", "optionOf", "eval", "exec", "", "WRITE", "write\u0000"]), odd(), odd()]),
  () =>
    JSON.stringify([
      pick(["write", "start", "signal", "kill", "handle", "attempts", "release", "makeDirectory", "prepare", "forgiveImages"]),
      ...Array.from({ length: Math.floor(random() * 6) }, () => pick([{}, 1.5, -1, { a: 1 }, [[1]], 1e99])),
    ]),
  () =>
    pick([
      "",
      "[",
      "{}",
      "null",
      "write",
      '"write"',
      "[[]]",
      "[".repeat(20_000),
      '["write"',
      "\u0000",
      "\ufffd\ufffd",
      '{"0":"write","length":1}',
      `["${"a".repeat(50_000)}"]`,
      '["kernelLog"]',
    ]),
];

const accepted = [];
let refused = 0;
for (let index = 0; index < calls; index++) {
  const line = pick(makers)();
  const reply = send(line);
  if (reply.error) refused++;
  else accepted.push({ line: line.slice(0, 300), reply: JSON.stringify(reply).slice(0, 200) });
}
// What manifests make necessary is done all the same.
const meanings = { $ATTEMPT: attempt.id, $MAIN: main, $REVISION: attempt.meta.revision };
const honest = controller.map(([name, ...words]) => {
  if (name !== "sleep") return call(name, ...words.map((word) => meanings[word] ?? word));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(words[0]));
  return {};
});
writeFileSync(join(optionOf("--run-dir"), "attack.json"), JSON.stringify({ refused, accepted, honest, uid: process.getuid() }));
