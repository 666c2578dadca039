/**
 * Knows how to start a confined process under the same holder as a plain one. The holder adopts orphans: the OCI runtime makes
 * the container and goes, its first process becomes a child of the holder, and the holder, stopped, never waits for it.
 */
import { join } from "node:path";
import type { Engine } from "../oci/engine.ts";
import { errorFile, idOf, PID_FILE } from "./bundle.ts";
import { HOLD, INIT_STAGE, type Launch, startHolder } from "./launch.ts";
import { findProgram, PLACE, wordsOf } from "./shell.ts";
import { quoted, type Spare } from "./spare.ts";

export interface ContainerLaunch extends Pick<Launch, "holderProcs" | "meta" | "moreHolderProcs" | "procs" | "output"> {
  readonly attempt: string;
  readonly engine: Engine;
  readonly bundle: string;
  /** The runtime's own state. */
  readonly state: string;
  /** Whether the runtime looks after the cgroup. */
  readonly managed: boolean;
  readonly wrap: readonly (readonly string[])[];
  readonly inits: number;
}

/** crun, without the hierarchy that it would not work beside. */
function visible({ hide }: Engine): readonly string[] {
  if (hide === undefined) return [];
  const unshare = findProgram("unshare");
  if (unshare === undefined) throw new Error("unshare is not installed: the package util-linux has it");
  return [unshare, "--mount", "--propagation", "slave", "/bin/sh", "-c", 'umount "$1" && shift && exec "$@"', "holdfast-engine", hide];
}

/** Words of the runtime; what it has to say goes to the bundle. */
export function runtime(engine: string, state: string, managed: boolean, log: string): string[] {
  return [engine, "--root", state, "--log", log, ...(managed ? [] : ["--cgroup-manager=disabled"])];
}

/**
 * Lists as in the script of a plain process (launch.ts). The shell in the subshell S is what stands for the main process until
 * there is one: if it ends with 0, the container's first process is at work, and anything else is why there is none. A signal
 * that S gets meanwhile lets no command begin. Only what makes the container is inside the workload's cgroups, so that
 * neither S counts there, nor what ends there ends S; and where the runtime looks after the cgroup not even that, because it
 * kills all that is inside when it fails. The container is made before the init commands run: what the runtime has then loaded
 * into the cgroup (devices on v2) holds for them too.
 */
function script(launch: ContainerLaunch): string {
  const { attempt, engine, bundle, state, managed, wrap, inits, output } = launch;
  const words = (list: readonly string[]): string => list.map(quoted).join(" ");
  const before = words([...wordsOf(wrap), ...visible(engine)]);
  const tool = (looksAfter: boolean): string => words(runtime(engine.path, state, looksAfter, errorFile(bundle)));
  const id = idOf(attempt);
  const owner = `${process.geteuid?.() ?? 0}:${process.getegid?.() ?? 0}`;
  const inside = (command: string): string => `  ( ${PLACE}\n  exec ${before} ${command} )`;
  const create = `${tool(managed)} create --bundle ${quoted(bundle)} --pid-file ${quoted(join(bundle, PID_FILE))} ${quoted(id)}`;
  const init = (index: number): string => {
    const run = `${tool(false)} run --bundle ${quoted(join(bundle, `init-${index}`))} ${quoted(`${id}+init-${index}`)}`;
    return `  echo ${INIT_STAGE}${index} >/proc/self/comm\n${inside(run)} || exit\n  [ -z "$asked" ] || exit 143\n`;
  };
  return `
${HOLD}
( exec 2>&3 3>&-
  asked=
  trap "asked=1" HUP INT QUIT TERM
  { echo 0 >/proc/self/oom_score_adj; } 2>/dev/null
  ulimit -S -n 1024 2>/dev/null
  kill -STOP $$
  while read -r s </proc/$$/stat; do case $s in *") T "*) break;; esac; done
${managed ? `  ${before} ${create}` : inside(create)} || exit
${Array.from({ length: inits }, (_, index) => init(index)).join("")}${inits > 0 ? "  echo sh >/proc/self/comm\n" : ""}  chown ${owner} ${quoted(output.file)} || exit
  [ -z "$asked" ] || exit 143
  exec ${tool(managed)} start ${quoted(id)} )
exit $?
`;
}

/** Starts an attempt; resolves once its holder holds, while the container is being made. */
export function launchContainer(spare: Spare, launch: ContainerLaunch): Promise<number> {
  const { holderProcs, meta, moreHolderProcs, procs, engine, output } = launch;
  return startHolder(spare, {
    program: [...engine.adopter, "/bin/sh"],
    script: script(launch),
    words: [holderProcs, meta, ...moreHolderProcs, "--", ...procs, "--"],
    env: {},
    output,
  });
}
