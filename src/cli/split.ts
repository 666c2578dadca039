/** Knows `holdfast run --user`: two processes, one that keeps root and does little, and one that does everything else without it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename, join, resolve } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { auditFiles } from "../host/auditLog.ts";
import { engineDirectory } from "../host/bundle.ts";
import { whyNotWritable } from "../host/host.ts";
import { ownDirectory, shareDirectory } from "../host/share.ts";
import { type User, whyUntrusted } from "../host/trust.ts";
import { nobodyElse, unprivileged, userNamed } from "../host/unprivileged.ts";
import { CALLS, LATER } from "../monitor/channel.ts";
import { Declared } from "../monitor/declared.ts";
import { Monitor } from "../monitor/monitor.ts";
import { parseBy } from "../monitor/parser.ts";
import { serve, tellLater } from "../monitor/serve.ts";
import { lockOrExplain } from "./apply.ts";
import { manifestSource, openKernel, type Places, UsageError } from "./context.ts";
import { COLOUR, colour } from "./print.ts";
import { reader } from "./reader.ts";
import { relay } from "./relay.ts";
import type { RunOptions } from "./run.ts";
import type { Teller } from "./teller.ts";

/** What a controller keeps in the run directory. */
const THEIRS = ["replicas", "restarts", "holds", "status.json", "controller.json", "audit.json"];

type SplitOptions = RunOptions & { readonly user: string };

export async function runSplit(options: SplitOptions, places: Places, directory: string, teller: Teller): Promise<number> {
  const user = checked(options, places, directory);
  const engine = engineDirectory(places.runDirectory);
  const share = (): void => {
    // What containers are made from, and what the monitor remembers, is root's alone.
    ownDirectory(engine, user);
    shareDirectory(places.runDirectory, user, THEIRS);
    const logs = auditFiles(places.logDirectory, places.root).map((file) => basename(file));
    shareDirectory(places.logDirectory, user, logs);
  };
  try {
    share();
  } catch (error) {
    throw new UsageError(`--user: ${(error as Error).message}`);
  }
  const asked = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => asked.abort(name));
  reader.once("gone", () => asked.abort("SIGPIPE"));
  const host = openKernel({ ...places, logUser: user });
  const unlock = lockOrExplain(host.lock);
  const program = [process.execPath, process.argv[1] ?? ""];
  try {
    await host.images.clean();
    const declared = new Declared({
      host,
      // Who may change them is asked of that user, below.
      files: manifestSource(directory, { ...options, trust: "any" }),
      user,
      ownDirectory: join(engine, "monitor"),
      parse: parseBy(() => unprivileged(nobodyElse(), [...program, "parse-manifests"]), asked.signal),
      warn: teller.warn,
    });
    await declared.look();
    if (asked.signal.aborted) return 0;
    return await control(unprivileged(user, [...program, ...wordsFor(options, places, directory)]), { host, declared, user, share }, asked.signal, teller);
  } finally {
    host.processes.prepare(false);
    unlock();
    host.close();
  }
}

/** The user, if all is such that being it is less than being root. */
function checked({ user: name, ephemeral, simulate }: SplitOptions, { root, imageDirectory }: Places, directory: string): User {
  if (ephemeral || simulate) throw new UsageError("--user: --ephemeral and --simulate are for trying things out; use them without it");
  if (process.geteuid?.() !== 0) throw new UsageError("--user: it takes root to begin with; without root leave it out (see Without root in docs/operating.md)");
  const user = userNamed(name);
  if (typeof user === "string") throw new UsageError(`--user: ${user}`);
  const why = whyNotWritable(root);
  if (why !== undefined) throw new UsageError(`cgroups cannot be written here (${why})`);
  const built = new URL("../dist/main.cjs", import.meta.url).pathname;
  for (const path of [directory, imageDirectory, process.execPath, process.argv[1] ?? "", built, `${built}.code`, join(built, "../../node_modules")]) {
    const untrusted = whyUntrusted(path, user);
    if (untrusted !== undefined) throw new UsageError(`--user: what ${path} says is done with root's rights, and ${untrusted}`);
  }
  return user;
}

function wordsFor(
  { resync, logFormat, prune, verbose, manifestKey, listen, allowRemote, servingDir }: SplitOptions,
  places: Places,
  directory: string,
): string[] {
  const { root, runDirectory, logDirectory, imageDirectory } = places;
  return [
    ...["run", "--monitored", "--filename", directory, "--root", root, "--resync", resync],
    ...["--run-dir", runDirectory, "--log-dir", logDirectory, "--image-dir", imageDirectory],
    ...["--log-format", logFormat ?? (process.stdout.isTTY ? "text" : "json")],
    ...(prune === undefined ? [] : ["--prune", prune]),
    ...(manifestKey === undefined ? [] : ["--manifest-key", resolve(manifestKey)]),
    ...(listen === undefined ? [] : ["--listen", listen]),
    ...(allowRemote ? ["--allow-remote"] : []),
    ...(servingDir === undefined ? [] : ["--serving-dir", resolve(servingDir)]),
    ...(verbose ? ["--verbose"] : []),
  ];
}

/** What a program may know of root's surroundings. */
const HARMLESS = /^(PATH|TERM|NO_COLOR|TZ|LANG|LC_.*)$/;

/** How long what the controller said last may be on its way, ms. */
const LAST_WORDS = 1000;

/** Starts the controller, and serves it until it ends. Nothing of root's terminal is its own. */
async function control(
  [program = "", ...args]: readonly string[],
  served: Omit<ConstructorParameters<typeof Monitor>[0], "later">,
  asked: AbortSignal,
  teller: Teller,
): Promise<number> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => HARMLESS.test(name)));
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
    detached: true,
    cwd: process.cwd(),
    env: { ...env, ...(colour.isColorSupported ? { [COLOUR]: "1" } : {}) },
  });
  asked.addEventListener("abort", () => child.kill(asked.reason === "SIGPIPE" ? "SIGTERM" : asked.reason));
  relay(child.stdout as Readable, process.stdout);
  relay(child.stderr as Readable, process.stderr);
  const [calls, later] = [child.stdio[CALLS] as Duplex, child.stdio[LATER] as Duplex];
  for (const stream of [calls, later]) stream.on("error", () => {}); // it ends with the controller
  const monitor = new Monitor({ ...served, later: (reply, told) => tellLater(later, reply, told) });
  serve(calls, monitor).catch((error: Error) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    teller.warn(`the controller is ended: ${error.message}`);
    child.kill("SIGKILL");
  });
  const closed = once(child, "close");
  closed.catch(() => {});
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, LAST_WORDS))]);
    // setpriv(1): the program could not be executed.
    if (code === 126 || code === 127)
      teller.warn(`the controller could not be started as user ${served.user.name}: can that user execute ${process.execPath}?`);
    if (code === null) teller.warn(`the controller (process ${child.pid}) ended with ${signal}; what runs goes on`);
    return code ?? 1;
  } finally {
    monitor.close();
  }
}
