/** Knows `holdfast run`: the controller, from start to signal. */
import { rmdirSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import { parseDuration } from "../api/quantity.ts";
import type { Event } from "../api/status.ts";
import { inWords } from "../cgroup/hierarchy.ts";
import { isInternal } from "../cgroup/path.ts";
import { engineDirectory } from "../host/bundle.ts";
import { descriptorBudget } from "../host/descriptors.ts";
import { type Host, openSimulatedHost, type Privileged, whyNotWritable } from "../host/host.ts";
import { closeInherited } from "../host/inherited.ts";
import { Channel } from "../monitor/channel.ts";
import { privileged } from "../monitor/privileged.ts";
import { auditorOf } from "../reconcile/auditor.ts";
import { Engine } from "../reconcile/engine.ts";
import { Loop } from "../reconcile/loop.ts";
import { ManifestSet } from "../reconcile/manifests.ts";
import { lastInForce, loadController, loadState, saveController } from "../reconcile/state.ts";
import { type Listen, Serving } from "../serve/serve.ts";
import { timed } from "../serve/timed.ts";
import { convergeFully, lockOrExplain } from "./apply.ts";
import { type GlobalOptions, manifestDirectory, manifestSource, openKernel, type Places, placesOf, refuseShared, UsageError } from "./context.ts";
import { listenOf, servingDirectory } from "./kubeconfig.ts";
import { plural } from "./print.ts";
import { reader } from "./reader.ts";
import { type Teller, tellerFor } from "./teller.ts";

export interface RunOptions extends GlobalOptions {
  readonly resync: string;
  readonly logFormat?: "text" | "json";
  readonly prune?: string;
  readonly simulate?: boolean;
  /** Who does all that takes no privilege. */
  readonly user?: string;
  /** This process is that controller, and has a monitor. */
  readonly monitored?: boolean;
  readonly listen?: string;
  readonly allowRemote?: boolean;
  readonly servingDir?: string;
}

/** Its version, and the page that it serves. */
interface Program {
  readonly version: string;
  readonly page: URL;
}

/** A port that cannot be had ends the program: somebody asked for it. */
async function opened(serving: Serving, listen: Listen | undefined): ReturnType<Serving["open"]> {
  try {
    return await serving.open();
  } catch (error) {
    throw new UsageError(`--listen: ${listen?.host}:${listen?.port} cannot be served: ${(error as Error).message}`);
  }
}

export async function run(options: RunOptions, { version, page }: Program): Promise<number> {
  if (!options.monitored) closeInherited();
  const resync = parseDuration(options.resync);
  if ("bad" in resync || resync.ok < 100_000) throw new UsageError(`--resync: expected a duration of at least 100ms such as 10s, found ${options.resync}`);
  const listen = listenOf(options.listen, options.allowRemote);
  if (options.user === undefined) refuseShared(options);
  const places = placesOf(options);
  const directory = manifestDirectory(options);
  const teller = await tellerFor(options.logFormat);
  if (options.user !== undefined) return (await import("./split.ts")).runSplit({ ...options, user: options.user }, places, resolve(directory), teller);
  const why = options.simulate ? "asked for with --simulate" : options.monitored ? undefined : whyNotWritable(places.root);
  let host: Host;
  if (why !== undefined && !options.simulate && !options.ephemeral) {
    throw new UsageError(`cgroups cannot be written here (${why}); run --ephemeral or --simulate works on a simulated host instead`);
  }
  if (why !== undefined) {
    const simulated = openSimulatedHost(places.root);
    host = simulated;
    teller.say(`Simulated host (${why}): nothing real is limited or started. The kernel's files stand in ${simulated.simulated.directory}`);
    process.on("exit", () => simulated.simulated.remove());
  } else host = openKernel({ ...places, keep: descriptorBudget() }, options.monitored ? monitored(places) : undefined);
  const unlock = lockOrExplain(host.lock);
  if (options.ephemeral) refuseOthers(host, unlock);
  const { runDirectory, logDirectory, imageDirectory } = host.options;
  const credentials = resolve(servingDirectory(options, places));
  let port: number | undefined;
  const introduce = (): void =>
    saveController(runDirectory, {
      ...{ pid: process.pid, directory: resolve(directory), logDirectory, imageDirectory, ephemeral: options.ephemeral ?? false },
      ...(listen && port !== undefined ? { listen: { host: listen.host, port }, servingDirectory: credentials } : {}),
    });
  try {
    introduce();
  } catch (error) {
    teller.warn(`the run directory cannot be written: ${(error as Error).message}; the controller works without it`);
  }
  const state = loadState(runDirectory);
  const serving: Serving = new Serving({
    place: { node: host.name, root: host.tree.root, version },
    engine: () => engine,
    ...{ directory: resolve(directory), runDirectory, logDirectory, servingDirectory: credentials, listen },
    keep: descriptorBudget(),
    ...{ warn: teller.warn, page },
  });
  for (const event of state.events) serving.event(event);
  const emit = (event: Event): void => {
    teller.event(event);
    serving.event(event);
  };
  const engine = new Engine({
    host: timed(host, serving.done),
    state,
    emit,
    noted: serving.noted,
    ...(why === undefined ? { audit: auditorOf(host.options, teller.warn) } : {}),
  });
  const set = new ManifestSet(directory, { forcePrune: options.prune === "force", before: lastInForce(state) });
  const loop = new Loop({
    engine,
    set,
    directory: manifestSource(resolve(directory), options),
    resync: resync.ok / 1000,
    warn: teller.warn,
    save: async () => {
      await engine.save();
      introduce();
    },
    // Taken away in the middle of being written, a part of it may be there.
    lost: () => loadController(runDirectory) === undefined || host.records.lost(),
    settled: () => teller.flush(),
    passed: serving.passed,
  });
  const versions = inWords(host.base.controllers, ({ id }) => (host.base.tables.get(id)?.length ?? 0) > 0);
  teller.say(
    `Holdfast converges the cgroup ${host.tree.root} to ${directory}: ${versions}, pid ${options.monitored ? process.ppid : process.pid}, resync ${options.resync}`,
  );
  const signal = nextSignal();
  try {
    port = (await opened(serving, listen))?.port;
    if (port !== undefined) introduce();
    if (listen)
      teller.say(
        `Serving https://${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${port} (kubectl: holdfast kubeconfig; page: holdfast dashboard)`,
      );
    // A first convergence can take long; a signal ends that too.
    if ((await Promise.race([loop.start(), signal])) === undefined)
      teller.say(
        `${plural(engine.desired.resources.size, "object")} in force; watching. ${options.ephemeral ? "Ctrl-C takes everything down." : "Ctrl-C ends the controller; workloads go on."}`,
      );
    serving.ready();
    // A start fits in little room (bin/). From here on, whoever waits for a collection of garbage waits longer than the room is worth, up to half as much again.
    for (const flag of ["--no-optimize-for-size", "--heap-growing-percent=50"]) setFlagsFromString(flag);
    const name = await signal;
    await loop.stop();
    if (options.ephemeral) await takeDown(engine, teller);
    else teller.say(`${name}: the controller ends; what runs goes on.`);
    return 0;
  } finally {
    await serving.close();
    unlock();
    if (options.ephemeral) removeTraces(host);
    host.close();
  }
}

/** All that takes privilege, through the monitor; without one there is nothing to do. */
function monitored(places: Places): Privileged {
  return privileged(new Channel(() => process.exit(1)), places);
}

/** `--ephemeral` takes down what it finds, so it begins with nothing, or with what a run of its kind left when it was killed. */
function refuseOthers(host: Host, unlock: () => void): void {
  const { tree, files, base, options } = host;
  const found = (files.children(tree.directory(base.controllers.core, "")) ?? []).filter((name) => !isInternal(name));
  if (found.length === 0 || loadController(options.runDirectory)?.ephemeral) return;
  unlock();
  throw new UsageError(
    `--ephemeral takes everything down at its end, and the root cgroup ${tree.root} has ${plural(found.length, "cgroup")} already (${found.slice(0, 3).join(", ")}${found.length > 3 ? ", …" : ""}); use another --root`,
  );
}

/** Signals that come together mean one thing: npm passes on what the terminal has sent already, ms. */
const TOGETHER = 1000;

/** The first signal ends the controller in order; a second one at once, and harms nothing either. A reader that went away is no second one. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolved) => {
    let first: number | undefined;
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(name, () => {
        if (first !== undefined && Date.now() - first > TOGETHER) process.exit(130);
        first ??= Date.now();
        resolved(name);
      });
    }
    reader.once("gone", () => resolved("SIGPIPE"));
  });
}

/** `--ephemeral`: an empty set of manifests, that is meant. */
async function takeDown(engine: Engine, teller: Teller): Promise<void> {
  teller.say("Taking everything down.");
  engine.load({ resources: new Map(), problems: [], held: false });
  const { plan } = await convergeFully(engine);
  const { images, processes } = engine.host;
  const used = processes.sweep();
  for (const key of images.list()) if (!used.has(key)) await images.remove(key);
  images.forgive(used);
  teller.flush();
  teller.say(plan.actions.length === 0 ? "Everything is down." : `${plural(plan.actions.length, "action was", "actions were")} refused; see above.`);
}

/** The empty cgroups of the root itself, and the files of a run that leaves nothing behind. */
function removeTraces(host: Host): void {
  for (const hierarchy of host.base.controllers.all) {
    for (const directory of [`${host.tree.directory(hierarchy, "")}/.holders`, ...host.tree.wayToRoot(hierarchy).reverse()]) {
      try {
        host.files.removeDirectory(directory);
      } catch {
        break; // something is left in it, and has been told
      }
    }
  }
  for (const directory of [host.options.runDirectory, engineDirectory(host.options.runDirectory)]) rmSync(directory, { recursive: true, force: true });
  try {
    rmdirSync(dirname(host.options.runDirectory));
  } catch {
    // other roots have theirs there
  }
}
