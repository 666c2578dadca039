// Runs the benchmark: every measurement at every size, a table of ratios with goals at the end. See README.md.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { parseArgs } from "node:util";
import { measureAudit } from "./audit.js";
import { buildMeasured } from "./build.js";
import { memoryOf, startDaemon } from "./daemon.js";
import { measureDrift } from "./drift.js";
import { measureEdit } from "./edit.js";
import { hierarchies } from "./hierarchies.js";
import { measureIdle } from "./idle.js";
import { auditLines, driftLines, editLines, idleLines, oneShotLines, tableOf } from "./lines.js";
import { measureOneShot } from "./oneShot.js";

const { values: options } = parseArgs({
  options: {
    sizes: { type: "string", default: "100,1000,5000" },
    rounds: { type: "string" },
    only: { type: "string", default: "one-shot,audit,daemon" },
    "per-file": { type: "string", default: "1" },
    writes: { type: "string", default: "1000" },
    edits: { type: "string", default: "200" },
    "idle-seconds": { type: "string", default: "30" },
    json: { type: "string" },
  },
});
const sizes = options.sizes.split(",").map(Number);
const only = new Set(options.only.split(","));
const perFile = Number(options["per-file"]);
/** Small by default: the largest size takes most of the time. */
const roundsAt = (count) => Number(options.rounds ?? (count >= 5000 ? 3 : count >= 1000 ? 5 : 9));

if (process.geteuid?.() !== 0) {
  console.error("bench: cgroups are made and removed here: run as root");
  process.exit(2);
}
const found = (command) => spawnSync("which", [command]).status === 0;
const peers = { cgconfigparser: found("cgconfigparser") && found("cgget") };
if (!peers.cgconfigparser) console.error("bench: no cgconfigparser here (apt-get install cgroup-tools): compared with bare C alone");

const say = (text) => console.error(`bench: ${text} (load ${loadavg()[0].toFixed(1)})`);
await buildMeasured();
const machine = {
  kernel: release(),
  node: process.version,
  cpus: cpus().length,
  cpu: cpus()[0]?.model,
  controllers: hierarchies().map(({ controllers, version }) => `${controllers.join()}: v${version}`),
  perFile,
  started: new Date().toISOString(),
};
const raw = {};
const lines = [];
for (const count of sizes) {
  const results = {};
  raw[count] = results;
  if (only.has("one-shot")) {
    say(`${count} groups: cold apply and re-apply, ${roundsAt(count)} rounds`);
    results.oneShot = measureOneShot(count, { rounds: roundsAt(count), perFile, peers });
    lines.push(...oneShotLines(count, results.oneShot));
  }
  if (only.has("audit")) {
    say(`${count} groups: audit`);
    results.audit = await measureAudit(count, { passes: roundsAt(count) * 6, perFile });
    lines.push(...auditLines(count, results.audit));
  }
  if (only.has("daemon")) await measureDaemon(count, results);
}

async function measureDaemon(count, results) {
  const daemon = await startDaemon(count, { perFile });
  try {
    say(`${count} groups: idle`);
    const idle = await measureIdle(daemon, Number(options["idle-seconds"]));
    say(`${count} groups: drift`);
    results.drift = await measureDrift(daemon, count, Number(options.writes));
    say(`${count} groups: edits`);
    results.edit = await measureEdit(daemon, Number(options.edits), false);
    results.editBeside = await measureEdit(daemon, Number(options.edits), true);
    results.idle = { ...idle, readyMs: daemon.readyMs, after: memoryOf(daemon.pid) };
    lines.push(
      ...driftLines(count, results.drift),
      ...editLines(count, results.edit, "renamed in", 2),
      ...editLines(count, results.editBeside, "temporary file beside", 2),
      ...idleLines(count, results.idle),
    );
  } finally {
    await daemon.stop();
  }
}

console.log(tableOf(lines));
if (options.json) writeFileSync(options.json, `${JSON.stringify({ machine, lines, raw }, null, 1)}\n`);
const missed = lines.filter(({ met }) => met === false).length;
console.log(
  `\n${lines.filter(({ met }) => met).length} goals met, ${missed} missed; ${machine.controllers.join(", ")}; Node ${machine.node}, Linux ${machine.kernel}`,
);
