/** Knows how to carry out a hook or a probe: a request, a connection, a pause, or a command inside the workload's cgroups. */
import type { ClientRequest } from "node:http";
import type { Socket } from "node:net";
import type { Handler } from "../api/resource.ts";
import type { Target } from "../plan/action.ts";
import { execute } from "./execute.ts";
import { deadline, failed, OK, type Result, timedOut } from "./result.ts";

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
