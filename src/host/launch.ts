/**
 * Knows how to start a process race-free inside its cgroups, so that its exit status outlives the controller: the
 * "stopped holder". A POSIX shell forks the workload in the foreground and is then stopped for ever. A stopped parent
 * never waits, so an ended workload stays a zombie: its pid cannot be reused, and /proc tells its exact wait status.
 */
import { spawn } from "node:child_process";
import { statOf } from "./procfs.ts";

/**
 * $1: cgroup.procs of the holder; whoever removes that cgroup first has voided the attempt.
 * $2: metadata, read back from the holder's command line. Then lists, each ended by `--`: more cgroup.procs files for the
 * holder; those of the workload; the working directory and names of variables of the shell, each of which has one variable
 * of the workload as its value (everybody may read a command line, and the shell itself must not obey them); the command.
 * Node raises its own soft limit of open files: the workload gets the usual 1024 back, and may raise it to the hard one.
 * "0" is "myself" to cgroup.procs. The subshell is in the foreground because `&` would leave SIGINT and SIGQUIT ignored.
 */
const HOLDER_SCRIPT = `
echo 0 >"$1" || exit 125
shift 2
while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift
{ echo -999 >/proc/self/oom_score_adj; } 2>/dev/null
trap "" HUP INT QUIT TERM
( trap - HUP INT QUIT TERM
  { echo 0 >/proc/self/oom_score_adj; } 2>/dev/null
  while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift
  kill -STOP $$
  while read -r s </proc/$$/stat; do case $s in *") T "*) break;; esac; done
  cd -- "$1" || exit 124
  ulimit -S -n 1024 2>/dev/null
  unset OLDPWD SHLVL
  shift
  while [ "$1" != -- ]; do eval "export \\"\\$$1\\""; unset "$1"; shift; done; shift
  exec "$@" )
exit $?
`;

/** argv[0] of the script: how holders show in ps. */
const HOLDER_NAME = "holdfast-holder";
/** Where the metadata stands in the holder's command line: sh -c SCRIPT NAME PROCS META. */
export const META_INDEX = 5;

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Milliseconds; a launch takes about four. Under a busy host it may take long, but not for ever. */
const LONGEST_LAUNCH = 30_000;

export interface Launch {
  readonly holderProcs: string;
  readonly meta: string;
  readonly moreHolderProcs: readonly string[];
  readonly procs: readonly string[];
  readonly workingDir: string;
  readonly env: readonly (readonly [string, string])[];
  readonly argv: readonly string[];
  /** Descriptor that standard output and error append to. */
  readonly output: number;
}

/** Starts an attempt; resolves with the holder's pid once the workload is placed and about to exec. Rejects when nothing was started. */
export async function launch({ holderProcs, meta, moreHolderProcs, procs, workingDir, env, argv, output }: Launch): Promise<number> {
  let prefix = "_holdfast_";
  while (env.some(([name]) => name.startsWith(prefix))) prefix += "_";
  const variables = Object.fromEntries(env.map(([name, value], index) => [`${prefix}${index}`, `${name}=${value}`]));
  const homes = [holderProcs, meta, ...moreHolderProcs, "--", ...procs, "--"];
  const args = ["-c", HOLDER_SCRIPT, HOLDER_NAME, ...homes, workingDir, ...Object.keys(variables), "--", ...argv];
  // Its own session: no terminal, and no signal that is meant for the controller's group reaches it. Nothing of our environment leaks.
  const child = trySpawn("/bin/sh", args, {
    detached: true,
    stdio: ["ignore", output, output],
    env: { PATH: DEFAULT_PATH, PWD: workingDir, ...variables },
    cwd: "/",
  });
  const ended = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(
        new Error(
          code === 125 ? "the process could not be placed in its cgroups (see its log)" : `the launching shell ended with ${signal ?? `exit code ${code}`}`,
        ),
      ),
    );
  });
  ended.catch(() => {}); // after the start, the holder's end is seen elsewhere
  child.unref();
  const { pid } = child;
  if (pid === undefined) return await ended;
  const stopped = async (): Promise<number> => {
    for (let waited = 0; waited < LONGEST_LAUNCH; waited++) {
      const state = statOf(pid)?.state;
      if (state === "T") return pid;
      if (state === undefined) return await ended;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error("the launching shell did not get ready in time");
  };
  return await Promise.race([stopped(), ended]);
}

function trySpawn(...words: Parameters<typeof spawn>): ReturnType<typeof spawn> {
  try {
    return spawn(...words);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "E2BIG") throw error;
    throw new Error("the command and its environment are too long for the kernel (E2BIG: 131071 bytes in one word, ARG_MAX in all; execve(2))");
  }
}
