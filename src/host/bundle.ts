/**
 * Knows the bundle of a confined attempt: the directory in which an OCI runtime finds config.json, and leaves what it has to
 * say. Below the run directory, readable by root alone: configurations carry the variables of workloads.
 */
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { IdMapping, Volume } from "../api/confinement.ts";
import { type Container, configOf, type DeviceNode, jsonOf, type Placement, processOf } from "../oci/config.ts";
import type { Mount } from "../oci/mounts.ts";
import type { DesiredReplica } from "../plan/desired.ts";
import { deviceNumber } from "./devices.ts";
import { readJson } from "./records.ts";

/** The directories of all bundles, and that of the runtime's own state (its option --root). */
export interface Bundles {
  readonly directory: string;
  readonly state: string;
  /** Compiled seccomp profiles, by what they were compiled from. */
  readonly filters: string;
}

/**
 * Beside the run directory, which may be deleted: what is removed here is removed from under running containers, whose mount points
 * these are (a mount goes with its mount point, in every mount namespace). Another user than root may own nothing but the run directory.
 */
export const engineDirectory = (runDirectory: string): string => (process.geteuid?.() === 0 ? `${runDirectory}.engine` : join(runDirectory, "engine"));

export function bundlesIn(runDirectory: string): Bundles {
  const directory = engineDirectory(runDirectory);
  return { directory: join(directory, "bundles"), state: join(directory, "state"), filters: join(directory, "filters") };
}

/** The name that the runtime knows an attempt by, in letters that every OCI runtime allows. */
export const idOf = (attempt: string): string => attempt.replaceAll("@", "+");
/** The name of an init command's container. */
export const initId = (id: string, index: number): string => `${id}+init-${index}`;
/** Whether a name is that of a container of an attempt. */
export const isOf = (id: string, name: string): boolean => name === id || name.startsWith(`${id}+init-`);

/** Where the number of the container's first process is written, and what went wrong before it was the command. */
export const PID_FILE = "pid";
const ERROR_FILE = "error";

/** Writes the bundle of an attempt, and one for each init command below it (`init-0`). */
export function writeBundle(
  bundle: string,
  container: Container,
  { argv, initCommands }: DesiredReplica,
  /** Of a container by this name. */
  cgroupsPath: (name: string) => string | undefined,
  filter: Buffer | undefined,
): void {
  const { confinement, facts } = container;
  mkdirSync(dirname(bundle), { recursive: true, mode: 0o711 });
  // Root of a user namespace is somebody else here, and must reach its root file system.
  mkdirSync(bundle, { mode: 0o711 });
  const root = join(bundle, "rootfs");
  if (confinement.namespaces.includes("mount")) {
    mkdirSync(root, { mode: 0o755 });
    for (const entry of confinement.image ? [] : facts.system) if ("target" in entry) symlinkSync(entry.target, join(root, entry.path));
    // The runtime makes the mount points, as who root is inside.
    const { uidMappings, gidMappings } = confinement.userNamespace ?? {};
    if (uidMappings && !confinement.image) chownSync(root, rootOf(uidMappings), rootOf(gidMappings ?? uidMappings));
  }
  const id = idOf(basename(bundle));
  const placement = { cgroupsPath: cgroupsPath(id), devices: nodesOf(container), filter };
  const write = (directory: string, words: readonly string[], where: Placement): void => {
    const { root: declared, mounts, ...config } = configOf(container, words, where);
    const text = jsonOf({
      ...config,
      mounts: mounts.flatMap((mount) => fitting(mount, confinement.volumes)),
      root: declared.path === "/" ? declared : { ...declared, path: root },
    });
    writeFileSync(join(directory, "config.json"), text, { mode: 0o600 });
  };
  write(bundle, argv, placement);
  writeFileSync(join(bundle, PROCESS_FILE), jsonOf(processOf(container, [WORDS])), { mode: 0o600 });
  for (const [index, init] of initCommands.entries()) {
    const directory = join(bundle, `init-${index}`);
    mkdirSync(directory, { mode: 0o700 });
    write(directory, init.argv, { ...placement, cgroupsPath: cgroupsPath(initId(id, index)) });
  }
}

/** The host's number of user or group 0 inside; of the first there is, where there is no such. */
function rootOf(mappings: readonly IdMapping[]): number {
  const range = mappings.find(({ containerID }) => containerID === 0) ?? mappings[0];
  return range?.hostID ?? 0;
}

/**
 * A file has nothing mounted below it, and crun takes `rro` for directories only. What a host does not have (/dev/mqueue) is not
 * shown; throws when that was declared.
 */
function fitting(mount: Mount, volumes: readonly Volume[]): Mount[] {
  if (mount.type !== "bind") return [mount];
  const stat = statSync(mount.source, { throwIfNoEntry: false });
  if (stat) return [stat.isDirectory() ? mount : { ...mount, options: mount.options.map((option) => (option === "rro" ? "ro" : option)) }];
  if (!volumes.some(({ mountPath }) => mountPath === mount.destination)) return [];
  throw new Error(`volumes: ${mount.source} does not exist on this host`);
}

/** The devices that it may have besides those that everybody has. */
export function nodesOf({ confinement }: Container): DeviceNode[] {
  return confinement.devices.map(({ path, access }) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat?.isBlockDevice() && !stat?.isCharacterDevice()) throw new Error(`devices: ${path}: expected a device, found ${stat ? "none" : "nothing"} there`);
    const { major, minor } = deviceNumber(stat.rdev);
    return { path, type: stat.isBlockDevice() ? "b" : "c", major, minor, access, fileMode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
  });
}

/** The file that a runtime takes a command for a running container from: what its first process was started with, but the words. */
export function writeProcess(bundle: string, words: readonly string[]): string {
  const file = join(bundle, `exec-${process.hrtime.bigint()}.json`);
  // As text: numbers of 64 bits would not survive being read.
  const text = readFileSync(join(bundle, PROCESS_FILE), "utf8").replace(JSON.stringify([WORDS]), () => JSON.stringify(words));
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

const PROCESS_FILE = "process.json";
/** Stands for the words of a command. */
const WORDS = "holdfast:words";

/** Pid of the container's first process; undefined while there is none. */
export function pidOf(bundle: string): number | undefined {
  try {
    return Number(readFileSync(join(bundle, PID_FILE), "utf8"));
  } catch {
    return undefined;
  }
}

/** What the runtime had to say last when it made a container. */
export const errorOf = (bundle: string): string | undefined => errorIn(errorFile(bundle));

/** The last message in a log of the runtime's. */
export function errorIn(log: string): string | undefined {
  try {
    const last = readFileSync(log, "utf8").trim().split("\n").at(-1) ?? "";
    // runc: level and message by name. crun: the message after the time.
    const named = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(last)?.[1];
    return (named === undefined ? last.replace(/^\S+T\S+Z?:? /, "") : (JSON.parse(named) as string)) || undefined;
  } catch {
    return undefined;
  }
}

export const errorFile = (bundle: string): string => join(bundle, ERROR_FILE);

/** What must be known of a bundle when its attempt is not. */
export interface BundleNote {
  /** Path of the cgroup. */
  readonly path: string;
  readonly image: string | undefined;
  /** The runtime has made cgroups below that. */
  readonly own?: boolean;
}

const NOTE_FILE = "note.json";

export const noteBundle = (bundle: string, note: BundleNote): void => writeFileSync(join(bundle, NOTE_FILE), JSON.stringify(note));

export const readNote = ({ directory }: Bundles, attempt: string): BundleNote | undefined =>
  readJson(join(directory, attempt, NOTE_FILE)) as BundleNote | undefined;

/** All bundles, by attempt. */
export function bundleNotes(bundles: Bundles): ReadonlyMap<string, BundleNote | undefined> {
  return new Map(entriesOf(bundles.directory).map((attempt) => [attempt, readNote(bundles, attempt)]));
}

/** Removes what an attempt has left. Nothing may run in it any more: what is a mount point there would be unmounted. */
export function removeBundle({ directory, state }: Bundles, attempt: string): void {
  rmSync(join(directory, attempt), { recursive: true, force: true });
  const id = idOf(attempt);
  for (const name of entriesOf(state)) if (isOf(id, name)) rmSync(join(state, name), { recursive: true, force: true });
}

/** Names in a directory; none where there is no such directory. */
export function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
