/**
 * Knows how to start a process race-free inside its cgroups, so that its exit status outlives the controller: the
 * "stopped holder". A POSIX shell forks the workload in the foreground and is then stopped for ever. A stopped parent
 * never waits, so an ended workload stays a zombie: its pid cannot be reused, and /proc tells its exact wait status.
 */

import { DEFAULT_PATH } from "../oci/config.ts";
import { statOf } from "./procfs.ts";
import { ENVIRONMENT, PLACE, prepare, type Surroundings } from "./shell.ts";
import type { Spare } from "./spare.ts";

/**
 * $1: cgroup.procs of the holder; whoever removes that cgroup first has voided the attempt.
 * $2: metadata, read back from the holder's command line. Then lists, each ended by `--`: more cgroup.procs files for the
 * holder; those of the workload; its directory, umask, OOM score and variables (shell.ts); the init commands one after the
 * other, each of which is the main process' name while it runs; the command.
 * What the holder itself has to say of an end ("Killed") is not the workload's output.
 * The subshell is in the foreground because `&` would leave SIGINT and SIGQUIT ignored.
 */
function plainScript(initLengths: readonly number[]): string {
  const inits = initLengths.map((length, index) => {
    const words = Array.from({ length }, (_, word) => `"\${${word + 1}}"`).join(" ");
    return `  echo ${INIT_STAGE}${index} >/proc/self/comm; ${words} || exit; shift ${length}\n`;
  });
  return `
${HOLD}
( exec 2>&3 3>&-
  trap - HUP INT QUIT TERM
  { echo 0 >/proc/self/oom_score_adj; } 2>/dev/null
  ${PLACE}
  kill -STOP $$
  while read -r s </proc/$$/stat; do case $s in *") T "*) break;; esac; done
${ENVIRONMENT}
${inits.join("")}${inits.length > 0 ? "  echo sh >/proc/self/comm\n" : ""}  exec "$@" )
exit $?
`;
}

/** The beginning of a holder: its place, its protection, deaf to signals; descriptor 3 is where its child's errors go. */
export const HOLD = `echo 0 >"$1" || exit 125
shift 2
${PLACE}
{ echo -999 >/proc/self/oom_score_adj; } 2>/dev/null
trap "" HUP INT QUIT TERM
exec 3>&2 2>/dev/null`;

/** What the main process calls itself while an init command runs: `init:0`. */
export const INIT_STAGE = "init:";

/** argv[0] of the script: how holders show in ps. */
const HOLDER_NAME = "holdfast-holder";
/** Where the metadata stands in the holder's command line: sh -c SCRIPT NAME PROCS META. */
export const META_INDEX = 5;

/** Milliseconds; a launch takes about four. Under a busy host it may take long, but not for ever. */
const LONGEST_LAUNCH = 30_000;

export interface Launch {
  readonly holderProcs: string;
  readonly meta: string;
  readonly moreHolderProcs: readonly string[];
  readonly procs: readonly string[];
  readonly surroundings: Surroundings;
  /** Programs through which the commands are started. */
  readonly wrap: readonly (readonly string[])[];
  readonly inits: readonly (readonly string[])[];
  readonly argv: readonly string[];
  /** Descriptor of what it appends its output to. */
  readonly output: number;
}

/** Starts an attempt; resolves with the holder's pid once the workload is placed and about to exec. Rejects when nothing was started. */
export function launch(spare: Spare, { holderProcs, meta, moreHolderProcs, procs, surroundings, wrap, inits, argv, output }: Launch): Promise<number> {
  const { words, variables, command } = prepare(surroundings, wrap);
  const before = inits.map(command);
  return startHolder(spare, {
    program: ["/bin/sh"],
    script: plainScript(before.map(({ length }) => length)),
    words: [holderProcs, meta, ...moreHolderProcs, "--", ...procs, "--", ...words, ...before.flat(), ...command(argv)],
    env: { PWD: surroundings.workingDir, ...variables },
    output,
  });
}

interface Holder {
  /** What executes the script: a shell, maybe through other programs. */
  readonly program: readonly string[];
  readonly script: string;
  /** $1 and so on. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly output: number;
}

/** Resolves with the pid of the holder once it has stopped. Rejects when it ended instead. */
export async function startHolder(spare: Spare, { program, script, words, env, output }: Holder): Promise<number> {
  // Its own session: no terminal, and no signal that is meant for the controller's group reaches it. Nothing of our environment leaks.
  const child = spare.start({ program, args: ["-c", script, HOLDER_NAME, ...words], env: { PATH: DEFAULT_PATH, ...env }, output });
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
