/** Knows what the monitor does for a controller, and what not: only what the manifests that it has read itself make necessary. */
import type { Handler, RunSpec } from "../api/resource.ts";
import type { Hierarchy } from "../cgroup/hierarchy.ts";
import { FREEZER, HANDS_DOWN, writeText } from "../cgroup/knobs.ts";
import { entryIn, type Machine } from "../cgroup/machine.ts";
import { valuesBetween } from "../cgroup/order.ts";
import { ancestorsOf, type CgroupPath, isInternal, ROOT } from "../cgroup/path.ts";
import type { Tree } from "../host/tree.ts";
import type { Desired, DesiredCgroup, DesiredReplica } from "../plan/desired.ts";
import type { ObservedAttempt } from "../plan/observed.ts";
import { LONGEST_HOOK } from "../plan/replica.ts";

/** A file or directory of a cgroup tree, as a controller names it. */
export interface Spot {
  readonly hierarchy: Hierarchy;
  readonly path: CgroupPath;
}

/** The cgroup that a directory is, if it is one of the tree's; names of Holdfast's own directories are none. */
export function spotOf(directory: string, tree: Tree, { controllers: { all } }: Pick<Machine, "controllers">): Spot | undefined {
  for (const hierarchy of all) {
    const root = tree.directory(hierarchy, "");
    if (directory === root) return { hierarchy, path: ROOT };
    const path = directory.slice(root.length + 1);
    if (directory.startsWith(`${root}/`) && isPath(path)) return { hierarchy, path };
  }
  return undefined;
}

/** Whether all parts are ordinary names: no way up, no way round, nothing internal. */
function isPath(path: string): path is CgroupPath {
  return path.split("/").every((part) => part !== "" && !isInternal(part) && !/[\0\n]/.test(part));
}

/** `web@0`: the cgroup of a replica, declared or not. */
export function isReplicaPath(path: string): path is CgroupPath {
  return isPath(path) && /^[^/@]+@\d+$/.test(path.slice(path.lastIndexOf("/") + 1));
}

/** `web@0@lx3f2k1`: nothing but the name of a directory. */
export const isAttempt = (name: string): boolean => /^[a-z0-9][a-z0-9.-]*@\d+@[a-z0-9]+$/.test(name);

/** What the monitor knows for itself. */
export interface Standing {
  readonly desired: Desired;
  readonly machine: Machine;
}

export function whyNotMade({ hierarchy, path }: Spot, { desired }: Standing): string | undefined {
  return desired.cgroups.get(path)?.hierarchies.has(hierarchy.id) ? undefined : "no manifest declares that cgroup there";
}

export function whyNotRemoved({ path }: Spot, { desired }: Standing): string | undefined {
  if (path === ROOT) return "it is the root";
  if (desired.held) return "manifests are broken or missing: nothing is removed";
  if (desired.cgroups.has(path)) return "a manifest declares that cgroup";
  return ancestorsOf(path).some((above) => isReplicaPath(above) && desired.cgroups.has(above)) ? "it is a declared workload's own" : undefined;
}

/** `read`: what a file of the cgroup reads now. */
export function whyNotWritten(
  { hierarchy, path }: Spot,
  file: string,
  text: string,
  { desired, machine }: Standing,
  read: (file: string) => string | undefined,
): string | undefined {
  const declared = desired.cgroups.get(path);
  const table = machine.tables.get(hierarchy.id) ?? [];
  const entry = entryIn(table, file);
  const no = "no manifest makes that necessary";
  if (path === ROOT || !entry) return isHandingDown(file, text, declared) ? undefined : no;
  if (!declared) {
    // What is not declared any more must be able to end.
    return isThaw(hierarchy, file, text) && !desired.held ? undefined : no;
  }
  // What it shall be, or the kernel's default for what nobody declares (a device more than there shall be).
  const [[key] = [""]] = entry.file.entries(text);
  const wanted = (name: string, at: string): string => declared.settings.get(name)?.get(at)?.value ?? entryIn(table, name)?.file.initial(at) ?? "";
  const now = (name: string, at: string): string | undefined =>
    entryIn(table, name)
      ?.file.entries(read(name) ?? "")
      .find(([there]) => there === at)?.[1];
  const to = wanted(file, key);
  const between = [...valuesBetween(file, now(file, key) ?? "", to, (other) => now(other, "") !== wanted(other, ""))];
  // On its way to a smaller memory.max, memory.high may be that.
  if (file === "memory.high") between.push(wanted("memory.max", ""));
  return [to, ...between].some((value) => writeText({ file: entry.file, key, value }) === text) ? undefined : no;
}

const isThaw = ({ version }: Hierarchy, file: string, text: string): boolean => file === FREEZER[version].file.name && text === FREEZER[version].thawed;

/** `+cpu +memory`, all of which its children need. */
function isHandingDown(file: string, text: string, declared: DesiredCgroup | undefined): boolean {
  return file === HANDS_DOWN && text.split(" ").every((word) => word.startsWith("+") && declared?.enable.has(word.slice(1)));
}

/** A main process, or one that is in its cgroup already, may be put where its attempt was started. */
export function whyNotPlaced({ path }: Spot, pid: string, attempts: readonly ObservedAttempt[], members: readonly number[]): string | undefined {
  const known = attempts.some(({ meta, main }) => meta?.path === path && main && !main.exited && String(main.pid) === pid);
  return known || members.some((member) => String(member) === pid) ? undefined : "it is no process that was started there";
}

/** So many attempts of a replica may wait to be let go of: each is a process outside of every limit. */
const MOST_ATTEMPTS = 3;

/** `attempts`: those of the replica, but for what is being let go of. */
export function whyNotStarted(
  attempt: string,
  replica: DesiredReplica | undefined,
  revision: string,
  attempts: readonly ObservedAttempt[],
): string | undefined {
  if (!replica) return "no manifest declares that replica";
  if (!isAttempt(attempt) || !attempt.startsWith(`${replica.id}@`)) return "that is no name of an attempt of it";
  if (replica.revision !== revision) return "the manifest declares another revision of it";
  if (replica.obstacle !== undefined) return replica.obstacle;
  if (attempts.some(({ id, holder, main }) => id === attempt || (holder && !main?.exited))) return "it runs already, or is about to";
  return attempts.length >= MOST_ATTEMPTS ? "too many attempts of it were not let go of" : undefined;
}

export function whyNotReleased(found: ObservedAttempt | undefined): string | undefined {
  if (!found) return "there is no such attempt";
  return found.main && !found.main.exited ? "its main process runs" : undefined;
}

/** How long a declared command may take, ms, and how many of it at a time. */
export interface Allowed {
  readonly timeout: number;
  readonly atOnce: number;
}

/** The commands of a workload's hooks and probes, as text. */
export function commandsOf(run: RunSpec): ReadonlyMap<string, Allowed> {
  const probes = Object.values(run.probes).filter((probe) => probe !== undefined);
  const grace = Math.max(run.gracePeriodSeconds, ...probes.map((probe) => probe.gracePeriodSeconds ?? 0)) * 1000;
  const declared: (readonly [Handler | undefined, number])[] = [
    [run.postStart, LONGEST_HOOK],
    [run.preStop, grace],
    ...probes.map((probe) => [probe.handler, probe.timeoutSeconds * 1000] as const),
  ];
  const commands = new Map<string, Allowed>();
  for (const [handler, timeout] of declared) {
    if (!handler || !("exec" in handler)) continue;
    const text = JSON.stringify(handler);
    const { timeout: longest = 0, atOnce = 0 } = commands.get(text) ?? {};
    commands.set(text, { timeout: Math.max(longest, timeout), atOnce: atOnce + 1 });
  }
  return commands;
}
