// Compares Holdfast with supervisord, runit, s6 and pm2 as a supervisor: from the death of a process to the next one's main(),
// and what 200 programs that do nothing cost. Usage: node bench/supervisors/run.js [--kills 40] [--count 200] [--pm2 PATH]
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { cpuOf, memoryOf } from "../daemon.js";
import { directory } from "../sandbox.js";
import { median, quantile } from "../statistics.js";
import { CONTENDERS } from "./contenders.js";

const { values: options } = parseArgs({
  options: {
    kills: { type: "string", default: "40" },
    count: { type: "string", default: "200" },
    seconds: { type: "string", default: "20" },
    pm2: { type: "string" },
  },
});
const [kills, count, seconds] = [options.kills, options.count, options.seconds].map(Number);
const beacon = join(directory, "beacon");
execFileSync(process.env.CC ?? "gcc", ["-O2", "-Wall", "-o", beacon, join(import.meta.dirname, "beacon.c")], { stdio: ["ignore", 2, 2] });

const there = (command) => spawnSync("which", [command]).status === 0;
const needed = { holdfast: "node", supervisord: "supervisord", runit: "runsvdir", s6: "s6-svscan", pm2: options.pm2 ?? "pm2" };
const names = Object.keys(CONTENDERS).filter((name) => there(needed[name]));
for (const name of Object.keys(CONTENDERS)) if (!names.includes(name)) console.error(`${name} is not installed: left out`);
const begin = (name, many) => {
  const scratch = join(directory, `${name}-${many}`);
  mkdirSync(scratch, { recursive: true });
  const file = (index) => join(scratch, `beacon-${index}`);
  return { ...CONTENDERS[name].begin(scratch, many, (index) => [beacon, file(index)], { pm2: needed.pm2 }), file };
};
const last = (file) => {
  const [time, pid] = existsSync(file) ? (readFileSync(file, "utf8").trim().split("\n").at(-1)?.split(" ").map(Number) ?? []) : [];
  return { time: time * 1000, pid };
};
const until = async (what, done, patience = 60_000) => {
  for (const deadline = performance.now() + patience; !done(); await pause(2))
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
};
const now = () => Number(process.hrtime.bigint()) / 1e6;

/** All supervisors run at the same time; each in turn loses its program. */
async function latencies() {
  const all = names.map((name) => ({ name, ...begin(name, 1), took: [] }));
  for (const { name, file } of all) await until(`${name} runs`, () => last(file(0)).pid);
  for (let round = 0; round < kills; round++) {
    for (const each of all) {
      const { pid } = last(each.file(0));
      const killed = now();
      process.kill(pid, "SIGKILL");
      await until(`${each.name} restarts`, () => last(each.file(0)).pid !== pid);
      each.took.push(last(each.file(0)).time - killed);
    }
    // supervisord and pm2 call what ends within a second a failed start.
    await pause(1300);
  }
  for (const { stop } of all) await stop();
  return new Map(all.map(({ name, took }) => [name, took]));
}

/** One supervisor at a time with many programs: idle CPU, and what its own processes take of memory. */
async function costs(name) {
  const running = begin(name, count);
  await until("all run", () => Array.from({ length: count }, (_, index) => last(running.file(index)).pid).every(Boolean), 120_000);
  await pause(name === "holdfast" ? 22_000 : 5000);
  const own = running.own();
  const sum = (of) => own.reduce((total, pid) => total + of(pid), 0);
  const before = sum(cpuOf);
  const began = performance.now();
  await pause(seconds * 1000);
  const percent = ((sum(cpuOf) - before) / (performance.now() - began)) * 100;
  const [main, ...helpers] = own.map(memoryOf);
  const pss = sum((pid) => memoryOf(pid).pssMiB);
  await running.stop();
  const perProgram = helpers.length > 0 ? (helpers.reduce((total, { pssMiB }) => total + pssMiB, 0) / count) * 1024 : 0;
  return { percent, pss, rss: main.rssMiB, perProgram };
}

const took = await latencies();
const rows = [];
for (const name of names) rows.push({ name, ...(await costs(name)) });
console.log(
  `| | process dies → next one's main(), median | p95 | idle CPU, ${count} programs | PSS of its own processes, ${count} programs | RSS of the main process | PSS for each program |`,
);
console.log("|---|---|---|---|---|---|---|");
for (const { name, percent, pss, rss, perProgram } of rows) {
  const all = took.get(name) ?? [];
  console.log(
    `| ${name} | ${median(all).toFixed(1)} ms | ${quantile(all, 0.95).toFixed(1)} ms | ${percent.toFixed(2)} % | ${pss.toFixed(1)} MiB | ${rss.toFixed(1)} MiB | ${perProgram.toFixed(0)} KiB |`,
  );
}
