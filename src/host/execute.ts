/** Knows how to run the command of a hook or a probe inside a workload's cgroups, or inside its container, for a limited time. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { DEFAULT_PATH } from "../oci/config.ts";
import type { Target } from "../plan/action.ts";
import type { ContainerMeta } from "../plan/observed.ts";
import { errorIn, idOf, writeProcess } from "./bundle.ts";
import { runtime, seeing } from "./container.ts";
import { childrenOf, type ProcessStat, statOf } from "./procfs.ts";
import { deadline, failed, OK, type Result, timedOut } from "./result.ts";
import { ENVIRONMENT, PLACE, prepare } from "./shell.ts";

/** So much of what a command says is told when it fails, characters. */
const MOST_OUTPUT = 300;
/** How much later than the controller's own timeout a command ends itself, s: for when no controller is there any more. */
const LATER = 2;
const TIMEOUT = "/usr/bin/timeout";

const SCRIPT = `${PLACE}\n${ENVIRONMENT}\n  exec "$@"\n`;

/** Runs a command as part of a workload: in its cgroups, as who it is, in its container. Rejects when it could not be run at all. */
export function execute(argv: readonly string[], target: Target, timeout: number, procs: readonly string[]): Promise<Result> {
  if (target.container) return executeInside(argv, target.container, timeout, procs);
  const { workingDir, umask, wrap, pid } = target;
  const { words, variables, command } = prepare({ workingDir, env: target.env ?? environmentOf(pid), umask, oomScoreAdj: undefined }, wrap);
  // It must not outlast a controller that was killed meanwhile.
  const bound = existsSync(TIMEOUT) ? [TIMEOUT, "-s", "KILL", String(Math.ceil(timeout / 1000) + LATER)] : [];
  const args = [SCRIPT, "holdfast-exec", ...procs, "--", ...words, ...bound, ...command(argv)];
  return run(args, { PWD: workingDir, ...variables }, timeout, (pid) => {
    process.kill(-pid, "SIGKILL");
  });
}

/** In a container the runtime knows all about a command but its cgroups. */
const INSIDE = `${PLACE}\nexec "$@"\n`;

async function executeInside(argv: readonly string[], container: ContainerMeta, timeout: number, procs: readonly string[]): Promise<Result> {
  const { bundle, engine, state, managed, view } = container;
  if (!existsSync(bundle)) return { ok: false, message: `${bundle} is gone: nothing can be run in its container`, unasked: true };
  const file = writeProcess(bundle, argv);
  const log = `${file}.log`;
  // The runtime passes SIGTERM on; SIGKILL would end it alone.
  const bound = existsSync(TIMEOUT) ? [TIMEOUT, "-s", "TERM", "-k", "1", String(Math.ceil(timeout / 1000) + LATER)] : [];
  const words = [...seeing(view), ...runtime(engine, state, managed, log), "exec", "--process", file, idOf(basename(bundle))];
  try {
    const result = await run([INSIDE, "holdfast-exec", ...procs, "--", ...bound, ...words], {}, timeout, endTree);
    const told = result.ok ? undefined : errorIn(log);
    return told === undefined ? result : failed(told);
  } finally {
    for (const each of [file, log]) rmSync(each, { force: true });
  }
}

/** Until processes that were sent SIGSTOP have stopped, ms. */
const STOPS = 100;

/**
 * Ends a group of processes and what they started in a container, which is in no group of ours. They are stopped first: they
 * wait for nobody then, and the numbers of their children stay their children's.
 */
async function endTree(leader: number): Promise<void> {
  process.kill(-leader, "SIGSTOP");
  const ours: number[] = [];
  let inner: ProcessStat | undefined;
  for (let next = statOf(leader); next && !inner; next = statOf(childrenOf(next.pid)[0] ?? 0)) {
    if (next.group === leader) ours.push(next.pid);
    else inner = next;
  }
  const stopped = (): boolean => ours.every((pid) => statOf(pid)?.state === "T");
  for (let waited = 0; waited < STOPS && !stopped(); waited++) await new Promise((resolve) => setTimeout(resolve, 1));
  // It is there, or a zombie, as long as the runtime does not wait for it; and so is its group.
  if (inner && stopped()) {
    process.kill(inner.pid, "SIGKILL");
    process.kill(-inner.group, "SIGKILL");
  }
  process.kill(-leader, "SIGKILL");
}

/** Runs a shell with these words after its -c; `end` ends all of it when the time is over. */
function run(words: readonly string[], env: Readonly<Record<string, string>>, timeout: number, end: (pid: number) => void | Promise<void>): Promise<Result> {
  const child = spawn("/bin/sh", ["-c", ...words], {
    detached: true,
    // Not /dev/null: a runtime gives what a command reads from and writes to to the container's user.
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: DEFAULT_PATH, ...env },
    cwd: "/",
  });
  child.stdin.on("error", () => {}); // it ends without reading
  child.stdin.end();
  return new Promise((resolve) => {
    let output = "";
    let late = false;
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += output.length < MOST_OUTPUT ? chunk.toString() : ""));
    const timer = deadline(timeout, () => {
      late = true;
      // Its own group, whose first process has not been waited for yet: the number is still its.
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        Promise.resolve(child.pid)
          .then(end)
          .catch(() => {});
    });
    const done = (result: Result): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve(result);
    };
    child.once("error", (error) => done(failed(error.message)));
    child.once("exit", (code, signal) => {
      if (late) return done(timedOut(timeout));
      // What it wrote last may still be on its way.
      setImmediate(() => {
        const said = output.trim().replaceAll(/\s+/g, " ").slice(0, MOST_OUTPUT);
        if (code === 0) return done(OK);
        done({ ...failed(`${signal ?? `exit code ${code}`}${said ? `: ${said}` : ""}`), ...(killed(code, signal) ? { killed: true } : {}) });
      });
    });
  });
}

/** Whether SIGKILL ended it: timeout(1) ends with that signal, or with its number and 128, when its command did. */
const killed = (code: number | null, signal: string | null): boolean => signal === "SIGKILL" || code === 137;

/** The variables that a process was started with (proc(5), environ). */
function environmentOf(pid: number): (readonly [string, string])[] {
  const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  return entries.flatMap((entry) => {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(entry) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
}
