/** Knows how to start, signal, end and release workloads. Signals go only to pids that a holder pins, or to whole cgroups. */

import { closeSync, existsSync } from "node:fs";
import type { Handler } from "../api/resource.ts";
import { type Controllers, endsSafely } from "../cgroup/hierarchy.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Target } from "../plan/action.ts";
import type { DesiredReplica } from "../plan/desired.ts";
import type { AttemptMeta, ObservedAttempt } from "../plan/observed.ts";
import { attempts, pidsBelow, pidsIn, replicaOf } from "./attempts.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import { launchContainer } from "./container.ts";
import { Containers } from "./containers.ts";
import { runHandler } from "./handlers.ts";
import type { HostOptions } from "./host.ts";
import type { Images } from "./images.ts";
import { launch } from "./launch.ts";
import { logFile, openOutput } from "./logs.ts";
import { childrenOf, hasEnded, isDeafTo, statOf } from "./procfs.ts";
import type { Result } from "./result.ts";
import { Spare } from "./spare.ts";
import { HOLDERS, type Tree } from "./tree.ts";

/** What is needed to start an attempt. */
interface Start {
  readonly attempt: string;
  readonly replica: DesiredReplica;
  readonly meta: AttemptMeta;
  /** Ids of the hierarchies in which the cgroup has a directory. */
  readonly hierarchies: readonly string[];
}

/** The only ways in which the rest of the program touches processes. */
export interface Processes {
  /** All attempts, or those of some replicas. */
  attempts(replicas?: ReadonlySet<string>): readonly ObservedAttempt[];
  /** Keeps ready what makes the next start fast, or lets go of it. */
  prepare(ready: boolean): void;
  /** Starts an attempt in its cgroups. Rejects when it did not; what is among the attempts then may start yet. */
  start(start: Start): Promise<void>;
  signal(attempt: string, pid: number, signal: NodeJS.Signals): Promise<void>;
  /** Carries out a hook or a probe of an attempt; `timeout` in ms. Never rejects. */
  handle(target: Target, handler: Handler, timeout: number): Promise<Result>;
  /** Signals every process of a cgroup and below it, while they are frozen: so that none of the pids can be somebody else's. */
  signalAll(path: CgroupPath, signal: NodeJS.Signals): Promise<void>;
  /** Ends every process of a cgroup and below it; resolves when it is empty. */
  kill(path: CgroupPath): Promise<void>;
  /** Lets a holder reap its child and go, and removes its cgroup. */
  release(attempt: string, holder: number): Promise<void>;
  hold(attempt: string, holder: number): void;
  /** Takes the cgroup of an attempt that never started away. */
  void(attempt: string): void;
  /** Removes what attempts that are no more have left; names of the images that are in use. */
  sweep(): ReadonlySet<string>;
}

/** How often, and how many ms apart, an init command is looked for that shall end: each of its processes is asked once. */
const [INIT_ROUNDS, INIT_PAUSE] = [40, 50];

/** How long a kill or a release may take before it is called a failure, ms. */
const PATIENCE = 5000;

async function until(done: () => boolean): Promise<boolean> {
  for (let waited = 0; !done(); waited++) {
    if (waited > PATIENCE) return false;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return true;
}

export function kernelProcesses(
  files: CgroupFiles,
  controllers: Controllers,
  tree: Tree,
  { runDirectory, logDirectory, logUser, images }: Pick<HostOptions, "runDirectory" | "logDirectory" | "logUser"> & { readonly images: Images },
): Processes {
  const { core } = controllers;
  const holderDirectory = (attempt: string): string => tree.directory(core, `${HOLDERS}/${attempt}`);
  /** Throws unless the pid is the holder of that attempt: a pid alone proves nothing. */
  const checkHolder = (attempt: string, pid: number): void => {
    if (!pidsIn(files, holderDirectory(attempt)).includes(pid)) throw new Error(`process ${pid} does not hold ${attempt} any more`);
  };
  const spare = new Spare();
  const containers = new Containers({ files, controllers, tree, runDirectory, images });
  const removeHolder = (attempt: string): void => {
    files.removeDirectory(holderDirectory(attempt));
    containers.remove(attempt);
  };

  return {
    attempts: (replicas) => attempts(files, controllers, tree, replicas),
    prepare: (ready) => (ready ? spare.prepare() : spare.close()),
    start: async ({ attempt, replica, meta, hierarchies }) => {
      const { resource, ordinal, env, argv, initCommands, container } = replica;
      const { run, name } = resource;
      const { umask, oomScoreAdj } = run.identity;
      const wrap = [...(run.logs.journald ? [journalCommand(replica.id)] : []), ...replica.wrap];
      // Holders stay outside every limit, so that neither can hurt the other.
      const homes = controllers.all.filter(
        ({ id, version }) => hierarchies.includes(id) && (version === 2 || id === core.id || id === "memory" || id === "pids"),
      );
      const output = openOutput(logFile(logDirectory, name, ordinal, run.logs), run.logs, logUser);
      for (const home of homes) files.makeDirectory(tree.directory(home, HOLDERS));
      if (files.children(holderDirectory(attempt))) throw new Error(`there is an attempt ${attempt} already`);
      files.makeDirectory(holderDirectory(attempt));
      const holder = {
        holderProcs: `${holderDirectory(attempt)}/cgroup.procs`,
        moreHolderProcs: homes.filter((home) => home !== core).map((home) => `${tree.directory(home, HOLDERS)}/cgroup.procs`),
        procs: controllers.all.filter(({ id }) => hierarchies.includes(id)).map((hierarchy) => `${tree.directory(hierarchy, meta.path)}/cgroup.procs`),
        wrap,
        output,
      };
      try {
        const logOwner = `${logUser?.uid ?? process.geteuid?.()}:${logUser?.gid ?? process.getegid?.()}`;
        if (container) await launchContainer(spare, { ...holder, logOwner, ...containers.prepare(attempt, replica, container, meta) });
        else {
          const surroundings = { workingDir: run.workingDir, env, umask, oomScoreAdj };
          await launch(spare, { ...holder, meta: JSON.stringify(meta), surroundings, inits: initCommands.map((init) => init.argv), argv });
        }
      } catch (error) {
        if (await until(() => pidsIn(files, holderDirectory(attempt)).length === 0)) removeHolder(attempt);
        throw error;
      } finally {
        closeSync(output);
      }
    },
    signal: async (attempt, pid, signal) => {
      const holder = pidsIn(files, holderDirectory(attempt)).find((candidate) => childrenOf(candidate).includes(pid));
      // The holder is stopped and never waits: as long as it is there, the pid of its child is its child's.
      if (holder === undefined || statOf(holder)?.state !== "T") throw new Error(`process ${pid} is not held by ${attempt} any more`);
      // What would end any other process must end this one.
      process.kill(pid, isDeafTo(pid, signal) ? "SIGKILL" : signal);
      const found = attempts(files, controllers, tree, new Set([replicaOf(attempt)])).find(({ id }) => id === attempt);
      const { main, meta } = found ?? {};
      if (!meta?.container || main?.pid !== pid) return;
      if (typeof main.stage !== "number") {
        // What it was sent between the runtime's work and its own, it has lost.
        await new Promise((resolve) => setTimeout(resolve, INIT_PAUSE));
        if (!hasEnded(statOf(pid)) && isDeafTo(pid, signal)) process.kill(pid, "SIGKILL");
        return;
      }
      // The shell that makes a container has heard it; the init command, which may be about to enter the cgroup, has not.
      const asked = new Set<number>();
      for (let round = 0; round < INIT_ROUNDS && !hasEnded(statOf(pid)); round++) {
        await signalFrozen(files, controllers, tree.directory(core, meta.path), signal, asked);
        await new Promise((resolve) => setTimeout(resolve, INIT_PAUSE));
      }
    },
    handle: (target, handler, timeout) => {
      const homes = controllers.all.map((hierarchy) => tree.directory(hierarchy, target.path)).filter((directory) => files.children(directory) !== undefined);
      return runHandler(
        handler,
        target,
        timeout,
        homes.map((directory) => `${directory}/cgroup.procs`),
      );
    },
    signalAll: (path, signal) => signalFrozen(files, controllers, tree.directory(core, path), signal),
    kill: async (path) => {
      const directory = tree.directory(core, path);
      if (core.version === 2 && hasKill(files, directory)) files.write(`${directory}/cgroup.kill`, "1");
      // Again until nothing is left, for what was in the middle of a fork.
      else for (let round = 0; round < 100 && living(files, directory).length > 0; round++) await signalFrozen(files, controllers, directory, "SIGKILL");
      if (!(await until(() => living(files, directory).length === 0)))
        throw new Error(`processes of ${path} did not end: ${living(files, directory).join(", ")}`);
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
    sweep: () => containers.sweep((attempt) => files.children(holderDirectory(attempt)) !== undefined),
  };
}

const JOURNAL = "/run/systemd/journal/stdout";

/** Connects standard output and error to the journal, and executes what follows (systemd-cat(1)). */
function journalCommand(identifier: string): readonly string[] {
  if (!existsSync(JOURNAL)) throw new Error(`logs: journald: there is no ${JOURNAL}: systemd-journald does not run here`);
  return ["systemd-cat", `--identifier=${identifier}`];
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

const living = (files: CgroupFiles, directory: string): number[] => (pidsBelow(files, directory) ?? []).filter((pid) => !hasEnded(statOf(pid)));

/**
 * Freezes, so that nothing can fork or exit and no pid can be reused, signals all, thaws. This is also how to kill without
 * cgroup.kill (v1, and v2 before Linux 5.14). Those that were `asked` before are not asked again.
 */
async function signalFrozen(files: CgroupFiles, controllers: Controllers, directory: string, signal: NodeJS.Signals, asked = new Set<number>()): Promise<void> {
  if (!endsSafely(controllers)) throw new Error("without the freezer no process can be signalled safely");
  const { core } = controllers;
  const [file, on, off] = core.version === 2 ? (["cgroup.freeze", "1", "0"] as const) : (["freezer.state", "FROZEN", "THAWED"] as const);
  const frozen = (): boolean =>
    core.version === 2
      ? /^frozen 1$/m.test(files.read(`${directory}/cgroup.events`) ?? "frozen 1")
      : (files.read(`${directory}/freezer.state`) ?? "FROZEN").trim() === "FROZEN";
  files.write(`${directory}/${file}`, on);
  try {
    if (!(await until(frozen))) throw new Error(`${directory} could not be frozen`);
    for (const pid of pidsBelow(files, directory) ?? []) {
      // One that was asked while it was the runtime still has lost that.
      if (asked.has(pid) && !isDeafTo(pid, signal)) continue;
      asked.add(pid);
      try {
        process.kill(pid, isDeafTo(pid, signal) ? "SIGKILL" : signal);
      } catch {
        // it ended before it froze
      }
    }
  } finally {
    files.write(`${directory}/${file}`, off);
    // What the workload froze by itself cannot die there on v1.
    if (signal === "SIGKILL") thawBelow(files, directory, file, off);
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}

function thawBelow(files: CgroupFiles, directory: string, file: string, off: string): void {
  for (const name of files.children(directory) ?? []) {
    files.write(`${directory}/${name}/${file}`, off);
    thawBelow(files, `${directory}/${name}`, file, off);
  }
}
