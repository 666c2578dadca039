/** Knows how to start, signal, end and release workloads. Signals go only to pids that a holder pins, or to whole cgroups. */
import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import type { RunSpec } from "../api/resource.ts";
import type { Controllers } from "../cgroup/hierarchy.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { AttemptMeta, ObservedAttempt } from "../plan/observed.ts";
import { attempts, pidsIn } from "./attempts.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import { launch } from "./launch.ts";
import { logFile, openLog } from "./logs.ts";
import { childrenOf, statOf } from "./procfs.ts";
import { HOLDERS, type Tree } from "./tree.ts";

/** What is needed to start an attempt. */
interface Start {
  readonly replica: string;
  readonly workload: string;
  readonly ordinal: number;
  readonly run: RunSpec;
  readonly env: readonly (readonly [string, string])[];
  readonly meta: AttemptMeta;
  /** Ids of the hierarchies in which the cgroup has a directory. */
  readonly hierarchies: readonly string[];
}

/** The only ways in which the rest of the program touches processes. */
export interface Processes {
  attempts(wanted?: (replica: string) => boolean): readonly ObservedAttempt[];
  /** Starts an attempt in its cgroups and tells its id. Rejects when nothing runs. */
  start(start: Start): Promise<string>;
  signal(attempt: string, pid: number, signal: NodeJS.Signals): void;
  /** Ends every process of a cgroup; resolves when it is empty. */
  kill(path: CgroupPath): Promise<void>;
  /** Lets a holder reap its child and go, and removes its cgroup. */
  release(attempt: string, holder: number): Promise<void>;
  hold(attempt: string, holder: number): void;
  /** Takes the cgroup of an attempt that never started away. */
  void(attempt: string): void;
}

/** How long a kill or a release may take before it is called a failure, ms. */
const PATIENCE = 5000;

async function until(done: () => boolean): Promise<boolean> {
  for (let waited = 0; !done(); waited++) {
    if (waited > PATIENCE) return false;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return true;
}

export function kernelProcesses(files: CgroupFiles, controllers: Controllers, tree: Tree, logDirectory: string): Processes {
  const { core } = controllers;
  const holderDirectory = (attempt: string): string => tree.directory(core, `${HOLDERS}/${attempt}`);
  /** Throws unless the pid is the holder of that attempt: a pid alone proves nothing. */
  const checkHolder = (attempt: string, pid: number): void => {
    if (!pidsIn(files, holderDirectory(attempt)).includes(pid)) throw new Error(`process ${pid} does not hold ${attempt} any more`);
  };
  const removeHolder = (attempt: string): void => files.removeDirectory(holderDirectory(attempt));

  return {
    attempts: (wanted) => attempts(files, controllers, tree, wanted),
    start: async ({ replica, workload, ordinal, run, env, meta, hierarchies }) => {
      const attempt = `${replica}@${Date.now().toString(36)}${randomBytes(2).toString("hex")}`;
      // Holders stay outside every limit, so that neither can hurt the other.
      const homes = controllers.all.filter(
        ({ id, version }) => hierarchies.includes(id) && (version === 2 || id === core.id || id === "memory" || id === "pids"),
      );
      const output = openLog(logFile(logDirectory, workload, ordinal, run.logs), run.logs);
      for (const home of homes) files.makeDirectory(tree.directory(home, HOLDERS));
      files.makeDirectory(holderDirectory(attempt));
      try {
        await launch({
          holderProcs: `${holderDirectory(attempt)}/cgroup.procs`,
          meta: JSON.stringify(meta),
          moreHolderProcs: homes.filter((home) => home !== core).map((home) => `${tree.directory(home, HOLDERS)}/cgroup.procs`),
          procs: controllers.all.filter(({ id }) => hierarchies.includes(id)).map((hierarchy) => `${tree.directory(hierarchy, meta.path)}/cgroup.procs`),
          workingDir: run.workingDir,
          env,
          argv: run.argv,
          output,
        });
      } catch (error) {
        await until(() => pidsIn(files, holderDirectory(attempt)).length === 0);
        removeHolder(attempt);
        throw error;
      } finally {
        closeSync(output);
      }
      return attempt;
    },
    signal: (attempt, pid, signal) => {
      const holder = pidsIn(files, holderDirectory(attempt)).find((candidate) => childrenOf(candidate).includes(pid));
      // The holder is stopped and never waits: as long as it is there, the pid of its child is its child's.
      if (holder === undefined || statOf(holder)?.state !== "T") throw new Error(`process ${pid} is not held by ${attempt} any more`);
      process.kill(pid, signal);
    },
    kill: async (path) => {
      const directory = tree.directory(core, path);
      const empty = (): boolean => pidsIn(files, directory).every((pid) => statOf(pid)?.state === "Z");
      if (core.version === 2 && files.read(`${directory}/cgroup.freeze`) !== undefined && hasKill(files, directory))
        files.write(`${directory}/cgroup.kill`, "1");
      else await killFrozen(files, controllers, directory);
      if (!(await until(empty))) throw new Error(`processes of ${path} did not end: ${pidsIn(files, directory).join(", ")}`);
    },
    release: async (attempt, holder) => {
      checkHolder(attempt, holder);
      process.kill(holder, "SIGCONT");
      if (!(await until(() => pidsIn(files, holderDirectory(attempt)).length === 0))) throw new Error(`the holder ${holder} of ${attempt} did not go`);
      removeHolder(attempt);
    },
    hold: (attempt, holder) => {
      checkHolder(attempt, holder);
      process.kill(holder, "SIGSTOP");
    },
    void: removeHolder,
  };
}

/** cgroup.kill is write-only: whether it exists shows in a write of nothing, which does nothing. */
function hasKill(files: CgroupFiles, directory: string): boolean {
  try {
    files.write(`${directory}/cgroup.kill`, "");
    return true;
  } catch {
    return false;
  }
}

/**
 * Without cgroup.kill (v1, and v2 before Linux 5.14): freeze, so that nothing can fork or exit and no pid can be reused,
 * signal all, thaw. Again until nothing is left, for what was in the middle of a fork.
 */
async function killFrozen(files: CgroupFiles, { core }: Controllers, directory: string): Promise<void> {
  const freezer =
    core.version === 2
      ? { file: "cgroup.freeze", on: "1", off: "0" }
      : core.offered.has("freezer")
        ? { file: "freezer.state", on: "FROZEN", off: "THAWED" }
        : undefined;
  const frozen = (): boolean =>
    core.version === 2
      ? /^frozen 1$/m.test(files.read(`${directory}/cgroup.events`) ?? "frozen 1")
      : (files.read(`${directory}/freezer.state`) ?? "FROZEN").trim() === "FROZEN";
  for (let round = 0; round < 100 && pidsIn(files, directory).some((pid) => statOf(pid)?.state !== "Z"); round++) {
    if (freezer) {
      files.write(`${directory}/${freezer.file}`, freezer.on);
      await until(frozen);
    }
    for (const pid of pidsIn(files, directory)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it ended by itself
      }
    }
    if (freezer) files.write(`${directory}/${freezer.file}`, freezer.off);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
