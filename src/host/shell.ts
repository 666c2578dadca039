/** Knows the parts of the shell scripts that start processes: entering cgroups, and the surroundings of a command. */
import { accessSync, constants } from "node:fs";
import { getPriority } from "node:os";
import { DEFAULT_PATH } from "../oci/config.ts";
import { isShellsOwn } from "../plan/identity.ts";

/** Enters the cgroups whose cgroup.procs files stand before the next `--`; "0" is "myself". */
export const PLACE = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift';

/**
 * Up to the next `--`, names of variables of the shell, each of which has one variable of the workload as its value: everybody
 * may read a command line, and the shell itself must not obey them.
 */
const EXPORT = 'while [ "$1" != -- ]; do eval "export \\"\\$$1\\""; unset "$1"; shift; done; shift';

/**
 * $1: the working directory; $2: umask, or -; $3: oom_score_adj, or -; then variables. Node raises its own soft limit of open
 * files: the workload gets the usual 1024 back, and may raise it.
 */
export const ENVIRONMENT = `  cd -- "$1" || exit 124
  [ "$2" = - ] || umask "$2"
  [ "$3" = - ] || echo "$3" >/proc/self/oom_score_adj || exit 123
  ulimit -S -n 1024 2>/dev/null
  unset OLDPWD SHLVL
  shift 3
  ${EXPORT}`;

/** What a process calls itself when it has become who it shall be, until it is the command. */
export const LAST_STAGE = "holdfast-exec";

/** Run as whoever the workload is: before that, its variables (LD_PRELOAD is one) must be obeyed by nothing. */
const AS_ITSELF = `printf %s ${LAST_STAGE} >/proc/self/comm
unset OLDPWD SHLVL
${EXPORT}
exec "$@"`;

/** What a command finds around itself. */
export interface Surroundings {
  readonly workingDir: string;
  readonly env: readonly (readonly [string, string])[];
  readonly umask: string | undefined;
  readonly oomScoreAdj: number | undefined;
}

/** A command with all around it, for a script with ENVIRONMENT in it. */
interface Prepared {
  /** What ENVIRONMENT takes. */
  readonly words: readonly string[];
  /** Variables of the shell that go with them. */
  readonly variables: Readonly<Record<string, string>>;
  /** What to execute then. */
  readonly command: (argv: readonly string[]) => string[];
}

/** The programs of the wrap know nothing of the variables; what the shell keeps for itself, env(1) sets last. */
export function prepare({ workingDir, env, umask = "-", oomScoreAdj }: Surroundings, wrap: readonly (readonly string[])[]): Prepared {
  const handed = env.filter(([name]) => !isShellsOwn(name));
  let prefix = "_holdfast_";
  while (handed.some(([name]) => name.startsWith(prefix))) prefix += "_";
  const variables = Object.fromEntries(handed.map(([name, value], index) => [`${prefix}${index}`, `${name}=${value}`]));
  const settings = [workingDir, umask, String(oomScoreAdj ?? "-")];
  const names = [...Object.keys(variables), "--"];
  const [tools, last] = [wordsOf(wrap.filter(([tool]) => tool !== "env")), wordsOf(wrap.filter(([tool]) => tool === "env"))];
  if (tools.length === 0) return { words: [...settings, ...names], variables, command: (argv) => [...last, ...argv] };
  const asItself = ["/bin/sh", "-c", AS_ITSELF, LAST_STAGE, ...names];
  return { words: [...settings, "--"], variables, command: (argv) => [...tools, ...asItself, ...last, ...argv] };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a program of the host; nobody's variables have a say in it. */
export function findProgram(name: string): string | undefined {
  return DEFAULT_PATH.split(":")
    .map((directory) => `${directory}/${name}`)
    .find((file) => isExecutable(file));
}

/**
 * The programs of a wrap with their paths, so that the workload's own PATH has no say in which they are. nice(1) adds to what
 * it was started with.
 */
export function wordsOf(wrap: readonly (readonly string[])[]): string[] {
  return wrap.flatMap(([tool = "", ...options]) => {
    const path = findProgram(tool);
    if (path === undefined) throw new Error(`${tool} is not installed: the packages util-linux and coreutils have what user, nice and the like need`);
    return [path, ...(tool === "nice" ? ["-n", String(Number(options[1]) - getPriority())] : options)];
  });
}
