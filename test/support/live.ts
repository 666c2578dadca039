/** A root cgroup on the machine's real hierarchies, for one test file: made, used and removed again, also when a test fails. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event, ObjectView } from "../../src/api/status.ts";
import { parseMounts } from "../../src/cgroup/hierarchy.ts";
import { type Host, openHost, whyNotWritable } from "../../src/host/host.ts";
import { ManifestDirectory } from "../../src/host/manifestFiles.ts";
import type { Plan } from "../../src/plan/decision.ts";
import { Engine } from "../../src/reconcile/engine.ts";
import { ManifestSet } from "../../src/reconcile/manifests.ts";

/** Why live tests cannot run here; undefined when they can. */
export const whyNotLive = whyNotWritable();

let count = 0;

/** How much slower than a machine this one may be: one that is emulated needs patience. */
export const PATIENCE = Number(process.env["HOLDFAST_TEST_PATIENCE"] ?? 1);

/** What the controllers of this test file printed: it tells why one waited in vain. */
const outputs: (() => string)[] = [];

export class Live {
  readonly root = `holdfast-test-${process.pid}-${count++}`;
  readonly directory: string;
  readonly manifests: string;
  readonly runDirectory: string;
  readonly logDirectory: string;
  readonly imageDirectory: string;
  /** Programs through which controllers are started. */
  through: readonly string[] = [];
  readonly events: Event[] = [];
  readonly engine: Engine;
  private readonly host: Host;
  private readonly set: ManifestSet;
  private readonly controllers: ChildProcess[] = [];

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "holdfast-live-"));
    [this.manifests, this.runDirectory, this.logDirectory, this.imageDirectory] = ["manifests", "run", "log", "images"].map((name) =>
      join(this.directory, name),
    ) as [string, string, string, string];
    mkdirSync(this.manifests);
    this.host = openHost({ root: this.root, runDirectory: this.runDirectory, logDirectory: this.logDirectory, imageDirectory: this.imageDirectory });
    this.engine = new Engine({ host: this.host, emit: (event) => this.events.push(event) });
    this.set = new ManifestSet(this.manifests, { forcePrune: true });
  }

  /** Replaces a manifest file as an editor or a deploy tool does; undefined removes it. */
  write(text: string | undefined, name = "a.yaml"): void {
    const file = join(this.manifests, name);
    if (text === undefined) rmSync(file, { force: true });
    else {
      writeFileSync(`${file}.tmp`, text);
      renameSync(`${file}.tmp`, file);
    }
  }

  private load(): void {
    // A look without a memory, as `apply` looks: what is gone is gone.
    this.set.update(new ManifestDirectory(this.manifests).scan().contents);
    this.engine.load(this.set.manifests);
  }

  /** Writes the manifest and converges once; the plan that is left. */
  async apply(text?: string): Promise<Plan> {
    if (text !== undefined) this.write(text);
    this.load();
    const { plan } = await this.engine.converge();
    return plan;
  }

  /** Converges again and again until a condition holds. */
  async settle<T>(what: string, condition: () => T | undefined | false, patience = 15_000): Promise<T> {
    for (const deadline = Date.now() + patience * PATIENCE; ; await sleep(10)) {
      await this.apply();
      const value = attempt(condition);
      if (value) return value;
      if (Date.now() > deadline)
        throw new Error(
          `converged in vain until ${what}\n${this.events
            .slice(-5)
            .map((event) => JSON.stringify(event))
            .join("\n")}`,
        );
    }
  }

  plan(): Plan {
    this.load();
    return this.engine.plan();
  }

  /** An object as another process sees it: from the manifests, the machine and the run directory. */
  view(name: string): ObjectView {
    const engine = new Engine({ host: openHost(this.host.options) });
    const set = new ManifestSet(this.manifests);
    set.update(new ManifestDirectory(this.manifests).scan().contents);
    engine.load(set.manifests);
    const found = engine.views().find(({ metadata }) => metadata.name === name);
    if (!found) throw new Error(`no object ${name}`);
    return found;
  }

  pid(name: string, ordinal = 0): number {
    const pid = this.view(name).status.replicaStatuses?.[ordinal]?.state.running?.pid;
    if (pid === undefined) throw new Error(`${name} does not run: ${JSON.stringify(this.view(name).status.replicaStatuses)}`);
    return pid;
  }

  /** The directory of a cgroup in the hierarchy of a controller ("" for the one that tells of processes). */
  cgroup(controller: string, path = ""): string {
    const { all, core } = this.host.base.controllers;
    const hierarchy = controller === "" ? core : (all.find(({ offered }) => offered.has(controller)) ?? core);
    return this.host.tree.directory(hierarchy, path);
  }

  version(controller: string): 1 | 2 | undefined {
    return this.host.base.controllers.all.find(({ offered, controllers }) => offered.has(controller) && controllers.has(controller))?.version;
  }

  read(controller: string, path: string, file: string): string {
    return readFileSync(join(this.cgroup(controller, path), file), "utf8").trim();
  }

  procs(controller: string, path: string): number[] {
    return this.read(controller, path, "cgroup.procs").split("\n").filter(Boolean).map(Number);
  }

  log(workload: string, ordinal = 0): string {
    return readFileSync(join(this.logDirectory, workload, `${workload}.${ordinal}.log`), "utf8");
  }

  /** Where its images are unpacked. */
  get images(): string {
    return join(this.imageDirectory, this.root);
  }

  private get imageOption(): string[] {
    return ["--image-dir", this.imageDirectory];
  }

  get options(): string[] {
    return ["-f", this.manifests, "--root", this.root, "--run-dir", this.runDirectory, "--log-dir", this.logDirectory];
  }

  /** The program, as a person runs it. */
  holdfast(...args: string[]): { code: number | null; stdout: string; stderr: string } {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["bin/holdfast.js", ...args, ...this.options, ...(args[0] === "apply" ? this.imageOption : [])],
      {
        encoding: "utf8",
        timeout: 60_000,
        env: plainEnvironment(),
      },
    );
    return { code: status, stdout, stderr };
  }

  /** A controller in a process of its own; `output` collects its JSON lines. */
  controller(...args: string[]): { child: ChildProcess; output: () => string; lines: () => Record<string, unknown>[] } {
    const [program = "", ...words] = [...this.through, process.execPath, "bin/holdfast.js", "run", ...args, "--log-format", "json"];
    const child = spawn(program, [...words, ...this.options, ...this.imageOption], {
      stdio: ["ignore", "pipe", "pipe"],
      env: plainEnvironment(),
    });
    this.controllers.push(child);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (text += chunk.toString()));
    outputs.push(() => text);
    return {
      child,
      output: () => text,
      lines: () =>
        text
          .split("\n")
          .filter((line) => line.startsWith("{"))
          .map((line) => JSON.parse(line) as Record<string, unknown>),
    };
  }

  /** A controller that watches, on this manifest or on what there is; `told`: its events so far, each as `Reason: words`. Only events make it look. */
  async started(text: string | undefined, ...args: string[]): Promise<ReturnType<Live["controller"]> & { told: (...reasons: string[]) => string[] }> {
    if (text !== undefined) this.write(text);
    const controller = this.controller(...(args.length > 0 ? args : ["--resync", "10m"]));
    await until("it watches", () => controller.output().includes("in force"), 60_000);
    const told = (...reasons: string[]): string[] =>
      controller.lines().flatMap(({ reason, msg }) => (reasons.length === 0 || reasons.includes(String(reason)) ? [`${reason}: ${msg}`] : []));
    return { ...controller, told };
  }

  /** Writes behind the controller's back. */
  behind(controller: string, path: string, file: string, text: string): void {
    writeFileSync(join(this.cgroup(controller, path), file), text, { flag: "r+" });
  }

  /** Ends the controllers; what they started goes on. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    for (const child of this.controllers) if (child.exitCode === null && child.signalCode === null) await end(child, signal);
  }

  /** Ends all that this object started and removes all that it made. */
  async close(): Promise<void> {
    await this.stop("SIGKILL");
    for (let round = 0; round < 100 && !removeTree(this.root); round++) await sleep(20);
    rmSync(this.directory, { recursive: true, force: true });
    const left = directories(this.root);
    if (left.length > 0) throw new Error(`cgroups are left behind: ${left.join(", ")}`);
  }
}

/** Signals a child that runs, and waits for its end. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}

/** Without what slows every start of Node down here and there. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, NODE_OPTIONS: __, ...rest } = process.env;
  return rest;
}

/** Removes a directory in which somebody else may be writing. */
export function takeAway(directory: string): void {
  renameSync(directory, `${directory}.gone`);
  rmSync(`${directory}.gone`, { recursive: true, force: true });
}

export const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

function attempt<T>(condition: () => T): T | undefined {
  try {
    return condition();
  } catch {
    return undefined;
  }
}

/** Waits until a condition holds; a condition that throws does not hold yet. */
export async function until<T>(what: string, condition: () => T | undefined | false, patience = 10_000): Promise<T> {
  const deadline = Date.now() + patience * PATIENCE;
  let last: unknown;
  for (;;) {
    try {
      const value = condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(`waited in vain until ${what}${last ? `: ${last}` : ""}\n${(outputs.at(-1)?.() ?? "").split("\n").slice(-25).join("\n")}`);
    await sleep(5);
  }
}

/** All directories of a test's root, innermost first. */
function directories(root: string): string[] {
  return parseMounts(readFileSync("/proc/self/mountinfo", "utf8")).flatMap(({ mount }) => {
    const top = join(mount, root);
    if (!statSync(top, { throwIfNoEntry: false })) return [];
    const below = readdirSync(top, { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...below.map((entry) => join(entry.parentPath, entry.name)).sort((a, b) => b.length - a.length), top];
  });
}

/** Kills what is in the test's own cgroups and removes them; true when all are gone. */
function removeTree(root: string): boolean {
  const all = directories(root);
  for (const directory of all) {
    for (const file of ["freezer.state", "cgroup.freeze"]) {
      try {
        if (statSync(join(directory, file), { throwIfNoEntry: false }))
          writeFileSync(join(directory, file), file === "freezer.state" ? "THAWED" : "0", { flag: "r+" });
      } catch {
        // gone meanwhile
      }
    }
    let pids: number[] = [];
    try {
      pids = readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
    } catch {
      // gone, or an inner node of a threaded tree
    }
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it ended by itself
      }
    }
  }
  for (const directory of all) {
    try {
      rmdirSync(directory);
    } catch {
      // not empty yet: the next round
    }
  }
  return directories(root).length === 0;
}
