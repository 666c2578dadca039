/** Processes that somebody else has started, in cgroups that somebody else has made: for tests of what Holdfast may do with those. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseMounts } from "../../src/cgroup/hierarchy.ts";
import { statOf } from "../../src/host/procfs.ts";
import { sleep } from "./live.ts";

/** The controllers of which the processes are elsewhere; on v2 the one hierarchy that there is. */
const CONTROLLERS = ["pids", "cpu", "memory", "freezer"];

export class Outside {
  /** Of the cgroup that they are in, below each mount. */
  readonly name: string;
  private readonly directories: string[];
  private readonly programs = mkdtempSync(join(tmpdir(), "holdfast-outside-"));
  private readonly pids: { readonly pid: number; readonly start: number }[] = [];

  constructor(root: string) {
    this.name = `${root}-from`;
    const mounts = parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
    this.directories = mounts
      .filter(({ version, options }) => version === 2 || CONTROLLERS.some((controller) => options.includes(controller)))
      .map(({ mount }) => join(mount, this.name));
    for (const directory of this.directories) mkdirSync(directory);
  }

  /** v2: lets the cgroups below have controllers. */
  handDown(controllers: readonly string[]): void {
    for (const directory of this.directories) {
      if (!statSync(join(directory, "cgroup.subtree_control"), { throwIfNoEntry: false })) continue;
      const offered = readFileSync(join(directory, "cgroup.controllers"), "utf8").trim().split(" ");
      const text = controllers
        .filter((name) => offered.includes(name))
        .map((name) => `+${name}`)
        .join(" ");
      writeFileSync(join(directory, "cgroup.subtree_control"), text, { flag: "r+" });
    }
  }

  /** Another cgroup, below this one. */
  make(child: string): void {
    for (const directory of this.directories) mkdirSync(join(directory, child));
  }

  /** The directory of a controller, of that cgroup or one below it. */
  directory(controller: string, child = ""): string {
    const found = this.directories.find((directory) => directory.split("/").at(-2)?.split(",").includes(controller)) ?? this.directories[0] ?? "";
    return join(found, child);
  }

  /** Takes one away. */
  remove(child: string): void {
    for (const directory of this.directories) rmdirSync(join(directory, child));
  }

  /** A program under a name of its own. */
  program(name: string, original: string): string {
    const file = join(this.programs, name);
    copyFileSync(original, file);
    return file;
  }

  /** Starts a process that nobody waits for, in that cgroup (or one below it); its pid. */
  start(argv: readonly string[], child = ""): number {
    const places = this.directories.map((directory) => `echo $$ >${join(directory, child, "cgroup.procs")}`).join("; ");
    // Of its own parent nothing is left: it belongs to init.
    const { stdout, stderr } = spawnSync("setsid", ["sh", "-c", `${places}; "$@" >/dev/null 2>&1 </dev/null & echo $!`, "sh", ...argv], { encoding: "utf8" });
    const pid = Number(stdout);
    const start = statOf(pid)?.startTicks;
    if (!(pid > 1) || start === undefined) throw new Error(`not started: ${argv.join(" ")}: ${stderr}`);
    this.pids.push({ pid, start });
    return pid;
  }

  /** Moves one of them, as its owner would. */
  move(pid: number, child = ""): void {
    for (const directory of this.directories) writeFileSync(join(directory, child, "cgroup.procs"), String(pid), { flag: "r+" });
  }

  async close(): Promise<void> {
    for (const { pid, start } of this.pids) if (statOf(pid)?.startTicks === start) process.kill(pid, "SIGKILL");
    for (let round = 0; round < 100; round++) {
      const left = this.directories.filter((directory) => !removed(directory));
      if (left.length === 0) break;
      await sleep(20);
    }
    rmSync(this.programs, { recursive: true, force: true });
    const left = this.directories.filter((directory) => statSync(directory, { throwIfNoEntry: false }));
    if (left.length > 0) throw new Error(`cgroups are left behind: ${left.join(", ")}`);
  }
}

function removed(directory: string): boolean {
  try {
    for (const name of spawnSync("find", [directory, "-mindepth", "1", "-depth", "-type", "d"], { encoding: "utf8" }).stdout.split("\n").filter(Boolean)) {
      for (const pid of readFileSync(join(name, "cgroup.procs"), "utf8").split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
      rmdirSync(name);
    }
    for (const pid of readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
    rmdirSync(directory);
    return true;
  } catch {
    return statSync(directory, { throwIfNoEntry: false }) === undefined;
  }
}
