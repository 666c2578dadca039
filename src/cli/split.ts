/** Knows `holdfast run --user`: two processes, one that keeps root and does little, and one that does everything else without it. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { findAccount } from "../host/accounts.ts";
import { whyNotWritable } from "../host/host.ts";
import { give, shareDirectory } from "../host/share.ts";
import { findProgram } from "../host/shell.ts";
import { type User, whyUntrusted } from "../host/trust.ts";
import { DESCRIPTOR } from "../monitor/channel.ts";
import { Declared } from "../monitor/declared.ts";
import { Monitor } from "../monitor/monitor.ts";
import { parseElsewhere } from "../monitor/parser.ts";
import { serve } from "../monitor/serve.ts";
import { lockOrExplain } from "./apply.ts";
import { openKernel, type Places, UsageError } from "./context.ts";
import type { RunOptions } from "./run.ts";
import type { Teller } from "./teller.ts";

/** In the run directory, root's alone: what containers are made from, and what the monitor remembers. */
const MONITOR = "monitor";
const OWN = ["bundles", "engine", "filters", MONITOR];
/** The parser's group is not the user's (monitor/parser.ts): nobody's, or else one that nobody has. */
const [NOGROUP, NO_GROUP_EITHER] = [65_534, 65_533];

type SplitOptions = RunOptions & { readonly user: string };

export async function runSplit(options: SplitOptions, places: Places, directory: string, teller: Teller): Promise<number> {
  const user = checked(options, places, directory);
  const share = (): void => {
    shareDirectory(places.runDirectory, user, OWN);
    shareDirectory(places.logDirectory, user);
  };
  try {
    share();
    for (const name of readdirSync(places.runDirectory)) if (!OWN.includes(name)) give(join(places.runDirectory, name), user);
  } catch (error) {
    throw new UsageError(`--user: ${(error as Error).message}`);
  }
  const host = openKernel({ ...places, logUser: user });
  const unlock = lockOrExplain(host.lock);
  const program = [process.execPath, process.argv[1] ?? ""];
  const parser = unprivileged({ ...user, gid: user.gid === NOGROUP ? NO_GROUP_EITHER : NOGROUP, groups: [] }, [...program, "parse-manifests"]);
  try {
    await host.images.clean();
    const declared = new Declared({
      host,
      directory,
      user,
      ownDirectory: join(places.runDirectory, MONITOR),
      parse: (contents) => parseElsewhere(parser, contents),
      warn: teller.warn,
    });
    await declared.look();
    return await control(unprivileged(user, [...program, ...wordsFor(options, places, directory)]), { host, declared, user, share }, teller);
  } finally {
    host.processes.prepare(false);
    unlock();
    host.close();
  }
}

/** The user, if all is such that being it is less than being root. */
function checked({ user: name, ephemeral, simulate }: SplitOptions, { root }: Places, directory: string): User {
  if (ephemeral || simulate) throw new UsageError("--user: --ephemeral and --simulate are for trying things out; use them without it");
  if (process.geteuid?.() !== 0) throw new UsageError("--user: it takes root to begin with; without root leave it out (see Without root in docs/operating.md)");
  const account = findAccount(`user:${name}`);
  if ("problem" in account) throw new UsageError(`--user: ${account.problem} (useradd --system --shell /usr/sbin/nologin ${name})`);
  if (!("uid" in account) || account.gid === undefined) throw new UsageError(`--user: expected a user of this machine, found ${name}`);
  if (account.uid === 0) throw new UsageError("--user: expected another user than root");
  const user = { name, uid: account.uid, gid: account.gid, groups: account.groups };
  if (findProgram("setpriv") === undefined) throw new UsageError("--user: setpriv is not installed: the package util-linux has it");
  const why = whyNotWritable(root);
  if (why !== undefined) throw new UsageError(`cgroups cannot be written here (${why})`);
  for (const path of [directory, process.execPath, process.argv[1] ?? ""]) {
    const untrusted = whyUntrusted(path, user);
    if (untrusted !== undefined) throw new UsageError(`--user: what ${path} says is done with root's rights, and ${untrusted}`);
  }
  return user;
}

/** A command as that user, without any capability, or a way to get one (setpriv(1)). */
function unprivileged({ uid, gid, groups }: User, command: readonly string[]): string[] {
  const who = [`--reuid=${uid}`, `--regid=${gid}`, groups.length > 0 ? `--groups=${groups.join()}` : "--clear-groups"];
  return [findProgram("setpriv") ?? "setpriv", ...who, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--", ...command];
}

function wordsFor({ resync, logFormat, prune, color, verbose }: SplitOptions, places: Places, directory: string): string[] {
  const { root, runDirectory, logDirectory, imageDirectory } = places;
  const given = { "log-format": logFormat, prune };
  return [
    ...["run", "--monitored", "--filename", directory, "--root", root, "--resync", resync],
    ...["--run-dir", runDirectory, "--log-dir", logDirectory, "--image-dir", imageDirectory],
    ...Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value])),
    ...(color === false ? ["--no-color"] : []),
    ...(verbose ? ["--verbose"] : []),
  ];
}

/** Starts the controller, and serves it until it ends. */
async function control(
  [program = "", ...args]: readonly string[],
  served: Omit<ConstructorParameters<typeof Monitor>[0], "later">,
  teller: Teller,
): Promise<number> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(PATH|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|TZ|LANG|LC_.*)$/.test(name)));
  // In a session of its own: what has root's terminal could type there (ioctl_tty(2), TIOCSTI).
  const child: ChildProcess = spawn(program, args, {
    stdio: ["ignore", "inherit", "inherit", "pipe", "ipc"],
    serialization: "advanced",
    detached: true,
    cwd: process.cwd(),
    env,
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (code === null) teller.warn(`the controller (process ${child.pid}) ended with ${signal}; what runs goes on`);
      resolve(code ?? 1);
    });
  });
  const monitor = new Monitor({ ...served, later: (later) => child.connected && child.send(later, () => {}) });
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => child.kill(name));
  const stream = child.stdio[DESCRIPTOR] as Duplex;
  stream.on("error", () => {}); // it ends with the controller
  serve(stream, monitor).catch((error: Error) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    teller.warn(`the controller is ended: ${error.message}`);
    child.kill("SIGKILL");
  });
  try {
    return await ended;
  } finally {
    monitor.close();
  }
}
