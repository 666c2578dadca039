/** Knows what every verb shares: the options, the machine, the manifests. */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { WorkloadResource } from "../api/resource.ts";
import { checkRoot } from "../cgroup/path.ts";
import type { ManifestSource } from "../host/guardedManifests.ts";
import { GuardedManifests } from "../host/guardedManifests.ts";
import { type Host, type HostOptions, NoCgroups, openHost, type Privileged, RootIsAFile } from "../host/host.ts";
import { ManifestDirectory } from "../host/manifestFiles.ts";
import { NotReadable, readRegular } from "../host/regular.ts";
import { readSigningKey } from "../host/seal.ts";
import { isShared } from "../host/share.ts";
import { decodeSnapshot, type HostSnapshot } from "../host/snapshot.ts";
import { openSnapshot } from "../host/snapshotHost.ts";
import type { Trusted } from "../host/trust.ts";
import { suggest } from "../manifest/suggest.ts";
import { Engine } from "../reconcile/engine.ts";
import { type LastInForce, ManifestSet } from "../reconcile/manifests.ts";
import { lastInForce, loadController, loadState, type State } from "../reconcile/state.ts";

/** The options that stand before or behind every verb. */
export interface GlobalOptions {
  readonly filename?: string;
  readonly root: string;
  readonly cgroupRoot?: string;
  readonly runDir?: string;
  readonly logDir?: string;
  readonly imageDir?: string;
  readonly user?: string;
  readonly color?: boolean;
  readonly verbose?: boolean;
  readonly ephemeral?: boolean;
  readonly trust?: "owner" | "any";
  readonly manifestKey?: string;
  /** A file of capture's, in place of this machine. */
  readonly snapshot?: string;
}

/** A mistake of the person at the keyboard: said in one line, without a stack. */
export class UsageError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface Places {
  readonly root: string;
  readonly runDirectory: string;
  readonly logDirectory: string;
  readonly imageDirectory: string;
}

/** Where things are kept. Another user than root has directories of its own. */
export function placesOf(options: GlobalOptions): Places {
  const root = checkRoot(options.cgroupRoot ?? options.root);
  if (root === undefined) {
    throw new UsageError(
      `--root: expected the path of a cgroup below the hierarchy's root, such as holdfast or system.slice/holdfast.service/tree; found ${JSON.stringify(options.cgroupRoot ?? options.root)}`,
    );
  }
  // Whoever only looks finds what root's controller left; otherwise another user than root has directories of its own.
  const system = join("/run/holdfast", root);
  const user =
    process.geteuid?.() === 0 || existsSync(system) ? undefined : process.env["XDG_RUNTIME_DIR"] || join("/tmp", `holdfast-${process.geteuid?.() ?? "user"}`);
  const runDirectory = resolve(options.runDir ?? join(user ?? "/run", "holdfast", root));
  // A run that leaves nothing behind keeps its logs with the rest; whoever looks finds them by the controller's file. A monitor asks nobody.
  const known = options.user === undefined ? loadController(runDirectory) : undefined;
  const usual = options.ephemeral
    ? { logs: join(runDirectory, "logs"), images: join(runDirectory, "images") }
    : {
        logs: known?.logDirectory ?? (user ? join(user, "holdfast-log") : "/var/log/holdfast"),
        images: known?.imageDirectory ?? (user ? join(user, "holdfast-images") : "/var/lib/holdfast/images"),
      };
  return { root, runDirectory, logDirectory: resolve(options.logDir ?? usual.logs), imageDirectory: resolve(options.imageDir ?? usual.images) };
}

/** Throws where root alone would go by what a user has left: its records name cgroups, commands and directories. */
export function refuseShared(options: GlobalOptions): void {
  const { runDirectory } = placesOf(options);
  if (process.geteuid?.() !== 0 || !isShared(runDirectory)) return;
  throw new UsageError(
    `the run directory ${runDirectory} is shared with the user of run --user, who could have changed what is in it: go on with --user, or (restarts and runs of schedules are counted anew then) ` +
      `cd ${runDirectory} && rm -rf replicas restarts holds status.json controller.json && chown root: . && chmod 755 .`,
  );
}

/** The manifest directory: as given, or that of the controller at work, or ./manifests. */
export function manifestDirectory(options: GlobalOptions, runDirectory?: string): string {
  return options.filename ?? (runDirectory === undefined ? undefined : loadController(runDirectory)?.directory) ?? "manifests";
}

/** Which manifests are followed. */
type Guarding = Pick<GlobalOptions, "trust" | "manifestKey" | "ephemeral">;

/** Reads the manifests once. */
export function readManifests(path: string, options: Guarding, forcePrune = false, before?: LastInForce): ManifestSet {
  const set = new ManifestSet(path, { forcePrune, before });
  set.update(manifestSource(resolve(path), options).scan().contents);
  return set;
}

/** The manifest directory, as far as it may be followed. */
export function manifestSource(path: string, { trust, manifestKey, ephemeral }: Guarding): ManifestSource {
  const directory = new ManifestDirectory(path);
  const trusted = process.geteuid?.() === 0 && trust !== "any" && !ephemeral ? whoMayChange() : undefined;
  if (!trusted && manifestKey === undefined) return directory;
  try {
    return new GuardedManifests(directory, { trusted, key: manifestKey === undefined ? undefined : readSigningKey(manifestKey) });
  } catch (error) {
    throw new UsageError(`--manifest-key: ${manifestKey} ${(error as Error).message}`);
  }
}

/** Root; whoever became root to start this (sudo(8)); and whoever owns the program, who could as well change that. */
function whoMayChange(): Trusted {
  const sudo = [process.env["SUDO_UID"], process.env["SUDO_GID"]].map((id) => (/^\d+$/.test(id ?? "") ? [Number(id)] : []));
  const program = statSync(process.argv[1] ?? "", { throwIfNoEntry: false });
  return { uids: new Set([0, ...(sudo[0] ?? []), program?.uid ?? 0]), gids: new Set([0, ...(sudo[1] ?? []), program?.gid ?? 0]) };
}

/** The workload that a person means: `web` or `workload/web`. */
export function workloadNamed(written: string, options: GlobalOptions, places: Places): WorkloadResource {
  const { resources } = readManifests(manifestDirectory(options, places.runDirectory), options).manifests;
  const name = written.replace(/^(?:workloads?|wl)\//i, "");
  const workload = resources.get(`Workload/${name}`);
  if (workload?.kind === "Workload") return workload;
  const hint = suggest(
    name,
    [...resources.values()].flatMap((resource) => (resource.kind === "Workload" ? [resource.name] : [])),
  );
  throw new UsageError(`Workload ${name} not found${hint ? ` (${hint})` : ""}`);
}

/** Bytes. */
const LARGEST_SNAPSHOT = 256 * 1024 * 1024;

/** Manifests against a host that was captured: no root, and nothing of this machine. */
function openOnSnapshot(options: GlobalOptions, file: string): Opened {
  let host: Host;
  let snapshot: HostSnapshot;
  try {
    snapshot = decodeSnapshot(readRegular(file, LARGEST_SNAPSHOT).toString("utf8"));
    host = openSnapshot(snapshot);
  } catch (error) {
    throw new UsageError(`--snapshot: ${file}${error instanceof NotReadable ? "" : ":"} ${(error as Error).message}`, 2);
  }
  const directory = options.filename ?? "manifests";
  const set = readManifests(directory, { ...options, trust: "any" });
  const applied = snapshot.applied as State["applied"];
  const engine = new Engine({ host, state: { applied, objects: [], events: [] } });
  engine.load(set.manifests);
  return { engine, set, directory, host, unlock: () => {} };
}

export function openKernel(places: HostOptions, through?: Privileged): Host {
  try {
    return openHost(places, through);
  } catch (error) {
    if (error instanceof RootIsAFile) throw new UsageError(`--root: ${error.message}`);
    if (error instanceof NoCgroups) throw new UsageError(error.message, 2);
    throw error;
  }
}

export interface Opened {
  readonly engine: Engine;
  readonly set: ManifestSet;
  readonly directory: string;
  readonly host: Host;
  /** Lets go of the root, where it was taken. */
  readonly unlock: () => void;
}

/**
 * A machine with manifests in force, for verbs that look; or, with a `lock`, for those that act: then nothing is read that
 * another controller may be about to write.
 */
export function openEngine(
  options: GlobalOptions,
  {
    forcePrune = false,
    lock,
    ...rest
  }: Omit<ConstructorParameters<typeof Engine>[0], "host"> & { forcePrune?: boolean; lock?: (host: Host) => () => void } = {},
): Opened {
  if (options.snapshot !== undefined) return openOnSnapshot(options, options.snapshot);
  const places = placesOf(options);
  const host = openKernel(places);
  const unlock = lock?.(host) ?? ((): void => {});
  try {
    const directory = manifestDirectory(options, places.runDirectory);
    const state = loadState(places.runDirectory);
    const set = readManifests(directory, options, forcePrune, lastInForce(state));
    const engine = new Engine({ host, state, ...rest });
    engine.load(set.manifests);
    return { engine, set, directory, host, unlock };
  } catch (error) {
    unlock();
    throw error;
  }
}
