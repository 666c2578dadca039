// Knows Holdfast's engine from the inside, as a process of its own: how long convergence alone takes, and one audit pass.
//   node engineProcess.js cold ROOT SCRATCH MANIFESTS          converge an empty root once; JSON on stdout
//   node engineProcess.js audit ROOT SCRATCH MANIFESTS LIST    each line on stdin: one pass; the files read go to LIST
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openHost } from "../../src/host/host.ts";
import { ManifestDirectory } from "../../src/host/manifestFiles.ts";
import { Engine } from "../../src/reconcile/engine.ts";
import { ManifestSet } from "../../src/reconcile/manifests.ts";

const [mode = "", root = "", scratch = "", manifests = "", list = ""] = process.argv.slice(2);

/** As much as the controller keeps open: the formula of src/cli/run.ts. */
function descriptorBudget() {
  const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return Math.min(15_000, Math.floor(Number(limit ?? 1024) * 0.6));
}

const keep = mode === "audit" ? descriptorBudget() : 0;
const host = openHost({ root, runDirectory: join(scratch, "run"), logDirectory: join(scratch, "log"), imageDirectory: join(scratch, "images"), keep });
const set = new ManifestSet(manifests);
set.update(new ManifestDirectory(manifests).scan().contents);
const engine = new Engine({ host });
engine.load(set.manifests);

const cpuBefore = process.cpuUsage();
const start = performance.now();
const { outcomes, plan } = await engine.converge();
const ms = performance.now() - start;
const cpu = process.cpuUsage(cpuBefore);
const refused = outcomes.find(({ error }) => error);
if (refused || plan.actions.length > 0 || plan.problems.length > 0) throw new Error(JSON.stringify(refused ?? plan.problems[0] ?? plan.actions[0]));

if (mode === "cold") {
  process.stdout.write(`${JSON.stringify({ ms, cpuMs: (cpu.user + cpu.system) / 1000, actions: outcomes.length })}\n`);
  host.close();
} else {
  /** What a resync does: a glance at what is kept open, a look at a part of what is beyond the budget. */
  let turn = 0;
  const audit = () => {
    const worth = new Set([...engine.glance(turn++)].flat());
    const { actions } = worth.size > 0 ? engine.plan(worth) : { actions: [] };
    if (actions.length > 0) throw new Error(`an audit found something to do: ${JSON.stringify(actions[0])}`);
  };
  engine.plan();
  // The C program gets the list of exactly the files that are read.
  const files = new Set(readdirSync("/proc/self/fd").flatMap(fileOf));
  const { readAll } = host.files;
  host.files.readAll = (directory, names, how) => {
    const texts = readAll(directory, names, how);
    for (const [index, text] of (texts ?? []).entries()) if (text !== undefined) files.add(`${directory}/${names[index]}`);
    return texts;
  };
  audit();
  Object.assign(host.files, { readAll });
  writeFileSync(list, [...files].join("\n"));
  process.stdout.write(`${JSON.stringify({ files: files.size, keep })}\n`);
  for await (const _ of createInterface({ input: process.stdin })) {
    const before = performance.now();
    audit();
    process.stdout.write(`${performance.now() - before}\n`);
  }
  host.close();
}

/** The cgroup file behind a descriptor, if it is one of ours. */
function fileOf(descriptor) {
  try {
    const file = readlinkSync(`/proc/self/fd/${descriptor}`);
    return file.includes(`/${root}/`) ? [file] : [];
  } catch {
    return []; // that of the listing itself
  }
}
