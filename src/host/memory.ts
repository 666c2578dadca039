/** Knows what the kernel tells of a cgroup's memory: what is in use, how scarce it is, how often its limit was hit, and how many were killed. */
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { countIn, pressureIn } from "../cgroup/statistics.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import type { Tree } from "./tree.ts";

type Offered = Pick<Machine, "controllers">;

/** Where its memory is accounted; undefined on a host without that. */
function placeOf(tree: Tree, { controllers: { all } }: Offered, path: CgroupPath) {
  const hierarchy = all.find(({ offered }) => offered.has("memory"));
  return hierarchy && { version: hierarchy.version, directory: tree.directory(hierarchy, path) };
}

const countOf = (text: string | undefined, name: string): number => countIn(text ?? "", name) ?? 0;

/** Bytes; v2. */
export function memoryCurrent(files: CgroupFiles, tree: Tree, machine: Offered, path: CgroupPath): number | undefined {
  const place = placeOf(tree, machine, path);
  const text = place && files.read(`${place.directory}/memory.current`);
  return text === undefined ? undefined : Number(text);
}

/** PSI is told for cgroups of v2, whatever controllers those have. */
export function memoryPressure(files: CgroupFiles, tree: Tree, { controllers: { all } }: Offered, path: CgroupPath): number | undefined {
  const unified = all.find(({ version }) => version === 2);
  const text = (unified && files.read(`${tree.directory(unified, path)}/memory.pressure`)) ?? files.read("/proc/pressure/memory");
  return pressureIn(text ?? "", "full");
}

/** v1: the line oom_kill of memory.oom_control; v2: of memory.events. */
export function oomKills(files: CgroupFiles, tree: Tree, machine: Offered, path: CgroupPath): number {
  const place = placeOf(tree, machine, path);
  if (!place) return 0;
  const { version, directory } = place;
  if (version === 2) return countOf(files.read(`${directory}/memory.events`), "oom_kill");
  // v1 counts where it killed, and not above.
  const all = ["", ...(files.children(directory) ?? []).map((name) => `/${name}`)];
  return all.reduce((sum, name) => sum + countOf(files.read(`${directory}${name}/memory.oom_control`), "oom_kill"), 0);
}

/**
 * How often its own limit was hit: in vain (v2: memory.events.local, Linux 5.2) or at all (v1: failcnt). That of a child does not count.
 * Linux 6.13 has stopped to count memory.memsw.failcnt; what was killed in the cgroup itself, and not in a child, tells as much.
 */
export function limitHits(files: CgroupFiles, tree: Tree, machine: Offered, path: CgroupPath): number {
  const place = placeOf(tree, machine, path);
  if (!place) return 0;
  const read = (name: string): string | undefined => files.read(`${place.directory}/${name}`);
  if (place.version === 2) return countOf(read("memory.events.local") ?? read("memory.events"), "oom");
  return ["memory.failcnt", "memory.memsw.failcnt"].reduce((sum, name) => sum + Number(read(name) ?? 0), countOf(read("memory.oom_control"), "oom_kill"));
}
