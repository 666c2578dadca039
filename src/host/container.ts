/**
 * Knows how to start a confined process under the same holder as a plain one. The holder adopts orphans: the OCI runtime makes
 * the container and goes, its first process becomes a child of the holder, and the holder, stopped, never waits for it.
 */
import { basename, join } from "node:path";
import type { Engine } from "../oci/engine.ts";
import type { CgroupView } from "../plan/observed.ts";
import { errorFile, idOf, initId, PID_FILE } from "./bundle.ts";
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
  readonly view: CgroupView | undefined;
  readonly wrap: readonly (readonly string[])[];
  readonly inits: number;
  /** Whose its log is, `UID:GID`: the runtime gives what its output goes to to the user in the container. */
  readonly logOwner: string;
  /** An unpacked image below a writable layer; `size` in bytes. */
  readonly root: { readonly lower: string; readonly size: string } | undefined;
  /** Where to keep the compiled seccomp profile for the next start. */
  readonly filter: string | undefined;
}

/**
 * $1: the cgroup2 mount that crun would not work beside, or -; $2: the unpacked image, or -; $3: room in the layer above it,
 * bytes; $4: the bundle; $5: the cgroup that shall be in the place of $6, or -. That layer is in memory: what a workload writes to it counts as its own, fills no disk of the host's,
 * and is gone with its mount namespace.
 */
const MOUNTS = `[ "$1" = - ] || umount "$1" || exit
[ "$5" = - ] || mount --bind "$5" "$6" || exit
if [ "$2" != - ]; then
  mkdir -p "$4/layer" && mount -t tmpfs -o "size=$3,mode=711" holdfast "$4/layer" && mkdir "$4/layer/upper" "$4/layer/work" || exit
  chmod --reference "$2" "$4/layer/upper" && chown --reference "$2" "$4/layer/upper" || exit
  mount -t overlay -o "lowerdir=$2,upperdir=$4/layer/upper,workdir=$4/layer/work" holdfast "$4/rootfs" || exit
fi
shift 6
exec "$@"`;

/** Mounts that only the runtime, and what it starts, see. */
function ownMounts({ engine: { hide }, root, bundle, view }: Pick<ContainerLaunch, "engine" | "root" | "bundle" | "view">): readonly string[] {
  if (hide === undefined && root === undefined && view === undefined) return [];
  const unshare = findProgram("unshare");
  if (unshare === undefined) throw new Error("unshare is not installed: the package util-linux has it");
  const odd = [bundle, root?.lower ?? ""].find((path) => root && /[:,\\]/.test(path));
  if (odd !== undefined) throw new Error(`${odd}: a path with : or , or a backslash cannot be mounted: choose others by --run-dir and --image-dir`);
  const words = [hide ?? "-", root?.lower ?? "-", root?.size ?? "-", bundle, view?.cgroup ?? "-", view?.mount ?? "-"];
  return [unshare, "--mount", "--propagation", "slave", "/bin/sh", "-c", MOUNTS, "holdfast-engine", ...words];
}

/** What makes the runtime see what it must take for all there is of cgroups. */
export const seeing = (view: CgroupView | undefined): readonly string[] =>
  view ? ["unshare", "--mount", "--propagation", "slave", "/bin/sh", "-c", VIEW, "holdfast-engine", view.cgroup, view.mount] : [];

const VIEW = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';

/** Words of the runtime; what it has to say goes to the bundle. */
export function runtime(engine: string, state: string, managed: boolean, log: string): string[] {
  return [engine, "--root", state, "--log", log, ...(managed || isRunc(engine) ? [] : ["--cgroup-manager=disabled"])];
}

const isRunc = (engine: string): boolean => basename(engine) === "runc";

/**
 * Lists as in the script of a plain process (launch.ts). The shell in the subshell S is what stands for the main process until
 * there is one: if it ends with 0, the container's first process is at work, and anything else is why there is none. A signal
 * that S gets meanwhile lets no command begin. Only what makes the container is inside the workload's cgroups, so that
 * neither S counts there, nor what ends there ends S; and where the runtime looks after the cgroup not even that, because it
 * kills all that is inside when it fails. The container is made before the init commands run: what the runtime has then loaded
 * into the cgroup (devices on v2) holds for them too. What it reads from is nothing, and not the host's /dev/null: the runtime
 * gives that away too.
 */
function script(launch: ContainerLaunch): string {
  const { attempt, engine, bundle, state, managed, view, wrap, inits, logOwner, filter } = launch;
  const words = (list: readonly string[]): string => list.map(quoted).join(" ");
  const before = words([...wordsOf(wrap), ...ownMounts(launch)]);
  const tool = (looksAfter: boolean): string => words(runtime(engine.path, state, looksAfter, errorFile(bundle)));
  const id = idOf(attempt);
  // What is open, whatever has its name meanwhile.
  const isOurs = logOwner === `${process.geteuid?.()}:${process.getegid?.()}` ? "[ -O /proc/self/fd/1 ] && [ -G /proc/self/fd/1 ] ||" : "";
  const inside = (command: string): string => `  ( ${PLACE}\n  exec ${before} ${command} )`;
  const create = `${tool(managed)} create --bundle ${quoted(bundle)} --pid-file ${quoted(join(bundle, PID_FILE))} ${quoted(id)}`;
  const init = (index: number): string => {
    const run = `${tool(false)} run --bundle ${quoted(join(bundle, `init-${index}`))} ${quoted(initId(id, index))}`;
    return `  echo ${INIT_STAGE}${index} >/proc/self/comm\n${inside(run)} || exit\n  [ -z "$asked" ] || exit 143\n`;
  };
  const keep =
    filter === undefined
      ? ""
      : `  { cp ${quoted(join(state, id, "seccomp.bpf"))} ${quoted(`${filter}.${id}`)} && mv ${quoted(`${filter}.${id}`)} ${quoted(filter)}; } 2>/dev/null\n`;
  return `
${HOLD}
( exec 2>&3 3>&-
  exec <<NOTHING
NOTHING
  asked=
  trap "asked=1" HUP INT QUIT TERM
  { echo 0 >/proc/self/oom_score_adj; } 2>/dev/null
  ulimit -S -n 1024 2>/dev/null
  kill -STOP $$
  while read -r s </proc/$$/stat; do case $s in *") T "*) break;; esac; done
${managed ? `  ${before} ${create}` : inside(create)} || exit
${keep}${Array.from({ length: inits }, (_, index) => init(index)).join("")}${inits > 0 ? "  echo sh >/proc/self/comm\n" : ""}  ${isOurs} chown ${logOwner} /proc/self/fd/1 || exit
  [ -z "$asked" ] || exit 143
  exec ${words(seeing(view))} ${tool(managed)} start ${quoted(id)} )
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
