// Measures what confinement costs: from the start to the first words of the command, and the memory beside it, of a plain and a
// confined workload under Holdfast, and of the same container under bare `crun run` and `runc run`. See ../README.md.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createReadStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { directory, rootNamed, sleep, start } from "../sandbox.js";
import { median, pairedRatio } from "../statistics.js";

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "31" }, json: { type: "string" } } });
const top = join(import.meta.dirname, "../..");
const found = (command) => spawnSync("which", [command]).status === 0;
if (process.geteuid?.() !== 0 || !found("crun")) {
  console.error("bench: needs root and crun (apt-get install crun); with runc there it is measured too");
  process.exit(2);
}

const bundled = join(directory, "startProcess.mjs");
await build({
  absWorkingDir: top,
  entryPoints: ["bench/inside/startProcess.js"],
  outfile: bundled,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  external: ["yaml", "pino", "chokidar", "cli-table3", "@bomb.sh/tab"],
  nodePaths: [join(top, "node_modules")],
  banner: {
    js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(${JSON.stringify(join(top, "package.json"))});`,
  },
  logLevel: "warning",
});

const shared = join(directory, "shared");
const fifo = join(shared, "fifo");
mkdirSync(shared, { recursive: true });
execFileSync("mkfifo", [fifo]);
const COMMAND = (path) => `["/bin/sh", "-c", "echo up >${path}; exec sleep 600"]`;
const workload = (spec) => `apiVersion: holdfast.dev/v1alpha1\nkind: Workload\nmetadata: {name: w}\nspec: ${spec}\n`;
const manifests = {
  plain: workload(`{command: ${COMMAND(fifo)}, terminationGracePeriodSeconds: 1}`),
  confined: workload(
    `{command: ${COMMAND("/shared/fifo")}, confined: true, volumes: [{hostPath: ${shared}, mountPath: /shared}], terminationGracePeriodSeconds: 1}`,
  ),
};
const root = rootNamed("confined");
const scratch = join(directory, "scratch");
for (const [name, text] of Object.entries(manifests)) {
  mkdirSync(join(directory, name));
  writeFileSync(join(directory, name, "w.yaml"), text);
}
mkdirSync(join(scratch, "nothing"), { recursive: true });

const inside = start(process.execPath, [bundled, root, scratch], ["pipe", "pipe", "inherit"]);
const answers = createInterface({ input: inside.stdout })[Symbol.asyncIterator]();
let config;
/** One start by Holdfast. */
async function holdfast(name) {
  inside.stdin.write(`${JSON.stringify({ manifests: join(directory, name), fifo })}\n`);
  if (name === "confined" && !config) config = await configOfFirst();
  return JSON.parse((await answers.next()).value);
}

/** What Holdfast tells crun is what the bare runtimes get. */
async function configOfFirst() {
  const bundles = join(scratch, "run.engine/bundles");
  for (;;) {
    try {
      const [attempt] = readdirSync(bundles);
      return {
        text: JSON.parse(readFileSync(join(bundles, attempt, "config.json"), "utf8")),
        links: execFileSync("sh", ["-c", `cd ${bundles}/${attempt}/rootfs && find . -maxdepth 1 -type l -printf '%f %l\\n'`], { encoding: "utf8" }),
      };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

const unified = "/sys/fs/cgroup/unified";
const hybrid = spawnSync("sh", ["-c", `test -n "$(cat ${unified}/cgroup.controllers)"`]).status === 0;
let count = 0;
/** One start by a runtime in the foreground, as people run it. */
async function bare(runtime) {
  const bundle = join(directory, `bundle-${runtime}`);
  mkdirSync(join(bundle, "rootfs"), { recursive: true });
  for (const line of config.links.trim().split("\n")) {
    const [name, target] = line.split(" ");
    spawnSync("ln", ["-sfn", target, join(bundle, "rootfs", name)]);
  }
  const { linux, ...rest } = config.text;
  writeFileSync(
    join(bundle, "config.json"),
    JSON.stringify({ ...rest, linux: { ...linux, cgroupsPath: `/${root}-${runtime}` }, root: { path: "rootfs", readonly: true } }),
  );
  const id = `bench-${process.pid}-${count++}`;
  const words = [runtime, "--root", join(directory, `state-${runtime}`), "run", "--bundle", bundle, id];
  const command =
    runtime === "crun" && hybrid
      ? ["unshare", "--mount", "--propagation", "slave", "sh", "-c", 'umount "$1"; shift; exec "$@"', "sh", unified, ...words]
      : words;
  const first = new Promise((resolve) => createReadStream(fifo).once("data", () => resolve(performance.now())));
  const before = performance.now();
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "ignore", "inherit"] });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const ms = (await first) - before;
  sleep(50);
  const pss = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
  spawnSync(runtime, ["--root", join(directory, `state-${runtime}`), "kill", id, "KILL"]);
  await gone;
  return { ms, pss };
}

const contenders = {
  plain: () => holdfast("plain"),
  confined: () => holdfast("confined"),
  crun: () => bare("crun"),
  ...(found("runc") ? { runc: () => bare("runc") } : {}),
};
await holdfast("confined");
const names = Object.keys(contenders);
const raw = Object.fromEntries(names.map((name) => [name, []]));
for (let round = 0; round < Number(options.rounds); round++)
  for (let turn = 0; turn < names.length; turn++) {
    const name = names[(round + turn) % names.length];
    raw[name].push(await contenders[name]());
  }
inside.stdin.end();

const ms = (name) => raw[name].map((each) => each.ms);
console.log(`Linux ${release()}, ${cpus().length} CPUs (${cpus()[0]?.model}), load ${loadavg()[0].toFixed(1)}, ${options.rounds} rounds, interleaved`);
console.log("                     start → first words (median)   beside it (Pss)   / bare crun run (paired)");
for (const name of names) {
  const label = { plain: "holdfast, plain", confined: "holdfast, confined", crun: "crun run", runc: "runc run" }[name];
  const ratio = name === "crun" ? "" : pairedRatio(ms(name), ms("crun")).toFixed(2);
  console.log(
    `${label.padEnd(20)} ${median(ms(name)).toFixed(1).padStart(8)} ms ${String(Math.round(median(raw[name].map(({ pss }) => pss)))).padStart(24)} KiB ${ratio.padStart(16)}`,
  );
}
if (options.json) writeFileSync(options.json, JSON.stringify(raw));
