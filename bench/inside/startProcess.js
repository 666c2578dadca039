// Knows how long a start takes from the inside: from the action to the first words of the command. A process of its own:
//   node startProcess.js ROOT SCRATCH      each line on stdin, {"manifests": DIR, "fifo": FILE}: one start and one end; JSON on stdout
import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openHost } from "../../src/host/host.ts";
import { ManifestDirectory } from "../../src/host/manifestFiles.ts";
import { Engine } from "../../src/reconcile/engine.ts";
import { ManifestSet } from "../../src/reconcile/manifests.ts";

const [root = "", scratch = ""] = process.argv.slice(2);
const host = openHost({ root, runDirectory: join(scratch, "run"), logDirectory: join(scratch, "log"), imageDirectory: join(scratch, "images"), keep: 0 });
const engine = new Engine({ host });

const load = (manifests) => {
  const set = new ManifestSet(manifests, { forcePrune: true });
  set.update(new ManifestDirectory(manifests).scan().contents);
  engine.load(set.manifests);
};

/** Resolves when something is written to a fifo, with the time. */
const heard = (fifo) => new Promise((resolve) => createReadStream(fifo).once("data", () => resolve(performance.now())));

/** Memory of everything that is there for one workload besides its command, KiB (Pss: what is shared counts in part). */
function overhead() {
  const holders = [
    ...(host.tree.directory(host.base.controllers.core, ".holders")
      ? readdirSync(host.tree.directory(host.base.controllers.core, ".holders"), { withFileTypes: true })
      : []),
  ];
  const pids = holders
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
      readFileSync(`${host.tree.directory(host.base.controllers.core, ".holders")}/${name}/cgroup.procs`, "utf8")
        .split("\n")
        .filter(Boolean),
    );
  return pids.reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0), 0);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { manifests, fifo } = JSON.parse(line);
  load(manifests);
  host.processes.prepare(true);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { actions } = engine.plan();
  const start = actions.find(({ type }) => type === "start");
  for (const action of actions) if (action !== start) await host.perform(action);
  const first = heard(fifo);
  const before = performance.now();
  await host.perform(start);
  const ms = (await first) - before;
  await new Promise((resolve) => setTimeout(resolve, 50));
  const pss = overhead();
  load(join(scratch, "nothing"));
  for (let look = 0; look < 200 && (look === 0 || host.records.list().length > 0); look++) {
    await engine.converge();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  process.stdout.write(`${JSON.stringify({ ms, pss })}\n`);
}
host.processes.prepare(false);
host.close();
