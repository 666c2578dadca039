/** Knows how to carry out a hook or a probe: a request, a connection, a pause, or a command inside the workload's cgroups. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { ClientRequest } from "node:http";
import type { Socket } from "node:net";
import type { Handler } from "../api/resource.ts";
import type { Target } from "../plan/action.ts";
import type { TaskState } from "../plan/observed.ts";
import { DEFAULT_PATH, ENVIRONMENT, PLACE, prepare } from "./shell.ts";

export type Result = Exclude<TaskState, "running">;

const OK: Result = { ok: true };
const failed = (message: string): Result => ({ ok: false, message });

/** So much of what a command says is told when it fails, characters. */
const MOST_OUTPUT = 300;
/** How much later than the controller's own timeout a command ends itself, s: for when no controller is there any more. */
const LATER = 2;
const TIMEOUT = "/usr/bin/timeout";

/** Runs a handler; `timeout` in ms. Never rejects. `procs`: the cgroup.procs files of the workload's cgroups. */
export async function runHandler(handler: Handler, target: Target, timeout: number, procs: readonly string[]): Promise<Result> {
  try {
    if ("sleep" in handler) return await pauseFor(handler.sleep * 1000, timeout);
    if ("tcpSocket" in handler) return await connectTo(handler.tcpSocket, timeout);
    if ("httpGet" in handler) return await request(handler.httpGet, timeout);
    return await execute(handler.exec, target, timeout, procs);
  } catch (error) {
    return failed((error as Error).message);
  }
}

function pauseFor(length: number, timeout: number): Promise<Result> {
  return new Promise((resolve) => setTimeout(() => resolve(length > timeout ? timedOut(timeout) : OK), Math.min(length, timeout)));
}

/**
 * Calls back when the time is over. What has arrived meanwhile is heard first: a controller that was busy, or stopped, must not
 * take its own lateness for the workload's.
 */
function deadline(timeout: number, over: () => void): NodeJS.Timeout {
  return setTimeout(() => setImmediate(over), timeout);
}

const timedOut = (timeout: number): Result => failed(`timed out after ${timeout / 1000}s`);

/** A failure in words: a refused connection to localhost is one error per address. */
const reasonOf = (error: Error & { code?: string; errors?: readonly Error[] }): string =>
  error.message || error.errors?.[0]?.message || (error.code ?? "failed");

/** Opens something that answers, and closes it again once it has answered, failed, or the time is over. */
function ask<T extends Asked>(timeout: number, open: () => T, answers: (asked: T, done: (result: Result) => void) => void): Promise<Result> {
  return new Promise((resolve) => {
    const asked = open();
    const done = (result: Result): void => {
      clearTimeout(timer);
      asked.destroy();
      resolve(result);
    };
    const timer = deadline(timeout, () => done(timedOut(timeout)));
    // Not only once: being closed is one more error to some.
    asked.on("error", (error) => done(failed(reasonOf(error))));
    answers(asked, done);
  });
}

type Asked = Socket | ClientRequest;

function connectTo({ host, port }: { host: string; port: number }, timeout: number): Promise<Result> {
  const { connect } = process.getBuiltinModule("node:net");
  const open = (): Socket => connect({ host, port });
  return ask(timeout, open, (socket, done) => socket.once("connect", () => done(OK)));
}

function request({ host, port, path, scheme, headers }: Extract<Handler, { httpGet: unknown }>["httpGet"], timeout: number): Promise<Result> {
  const { get } = scheme === "HTTPS" ? process.getBuiltinModule("node:https") : process.getBuiltinModule("node:http");
  const open = (): ClientRequest =>
    get({
      host,
      port,
      path,
      headers: { "user-agent": "holdfast-probe", accept: "*/*", ...Object.fromEntries(headers) },
      agent: false,
      // As in Kubernetes: the question is whether it answers, not who it is.
      rejectUnauthorized: false,
    });
  return ask(timeout, open, (sent, done) =>
    sent.once("response", ({ statusCode = 0 }) => done(statusCode >= 200 && statusCode < 400 ? OK : failed(`HTTP status ${statusCode}`))),
  );
}

const SCRIPT = `${PLACE}\n${ENVIRONMENT}\n  exec "$@"\n`;

function execute(argv: readonly string[], target: Target, timeout: number, procs: readonly string[]): Promise<Result> {
  const { workingDir, umask, wrap, pid } = target;
  const { words, variables, command } = prepare({ workingDir, env: target.env ?? environmentOf(pid), umask, oomScoreAdj: undefined }, wrap);
  // It must not outlast a controller that was killed meanwhile.
  const bound = existsSync(TIMEOUT) ? [TIMEOUT, "-s", "KILL", String(Math.ceil(timeout / 1000) + LATER)] : [];
  const child = spawn("/bin/sh", ["-c", SCRIPT, "holdfast-exec", ...procs, "--", ...words, ...bound, ...command(argv)], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: DEFAULT_PATH, PWD: workingDir, ...variables },
    cwd: "/",
  });
  return new Promise((resolve) => {
    let output = "";
    let late = false;
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += output.length < MOST_OUTPUT ? chunk.toString() : ""));
    const timer = deadline(timeout, () => {
      late = true;
      // Its own group, whose first process has not been waited for yet: the number is still its.
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGKILL");
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
