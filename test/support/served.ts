/** A controller that is served, as its clients see it: over its socket, over its port, by kubectl and by a browser. */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { join } from "node:path";
import type { Live } from "./live.ts";
import { onPath } from "./programs.ts";

const required = process.env["HOLDFAST_TEST_SERVED"] !== undefined;

/** The kubectl binaries to try, by version; from HOLDFAST_TEST_KUBECTL (colons in between), or the one on the PATH. */
export const kubectls: readonly string[] = (process.env["HOLDFAST_TEST_KUBECTL"] ?? onPath("kubectl") ?? "").split(":").filter(Boolean);
export const chromium = onPath("chromium");
export const promtool = process.env["HOLDFAST_TEST_PROMTOOL"] ?? onPath("promtool");

/** Why a client cannot be tried; where clients must be there (HOLDFAST_TEST_SERVED), a missing one is no reason to skip. */
export const whyWithout = (client: string | undefined): string | undefined => (client || required ? undefined : "it is not installed");

export interface Reply {
  readonly code: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

export class Served {
  readonly socket: string;
  readonly port: number;
  private readonly live: Live;

  constructor(live: Live, output: string) {
    this.live = live;
    this.socket = join(live.runDirectory, "holdfast.sock");
    this.port = Number(/Serving https:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1] ?? 0);
  }

  get token(): string {
    return readFileSync(join(this.live.runDirectory, "serving", "token"), "utf8").trim();
  }

  /** Over the socket. */
  ask(path: string, { method = "GET", headers = {}, body }: Ask = {}): Promise<Reply> {
    return replyTo((answer) => plainRequest({ socketPath: this.socket, path, method, headers }, answer), body);
  }

  async json<T>(path: string, headers: Record<string, string> = {}): Promise<T> {
    const { code, body } = await this.ask(path, { headers });
    if (code !== 200) throw new Error(`${path}: ${code} ${body}`);
    return JSON.parse(body) as T;
  }

  /** Over the port, with the certificate that was made for it. */
  askPort(path: string, { method = "GET", headers = {}, body }: Ask = {}): Promise<Reply> {
    const ca = readFileSync(join(this.live.runDirectory, "serving", "tls.crt"));
    return replyTo(
      (answer) => tlsRequest({ host: "127.0.0.1", port: this.port, path, method, headers, ca, agent: false, servername: "localhost" }, answer),
      body,
    );
  }

  /** A file for kubectl, as `holdfast kubeconfig` prints it. */
  kubeconfig(): string {
    const { code, stdout, stderr } = this.live.holdfast("kubeconfig");
    if (code !== 0) throw new Error(stderr);
    const file = join(this.live.directory, "kubeconfig");
    writeFileSync(file, stdout, { mode: 0o600 });
    return file;
  }

  /** kubectl's caches are of this test alone. */
  private kubectlEnvironment(): NodeJS.ProcessEnv {
    return { PATH: process.env["PATH"], HOME: this.live.directory, KUBECONFIG: this.kubeconfig() };
  }

  kubectl(program: string, ...args: string[]): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 60_000, env: this.kubectlEnvironment() });
    return { code: status, stdout, stderr };
  }

  /** One that goes on: what it printed so far, and how to end it. */
  kubectlWatch(program: string, ...args: string[]): { readonly output: () => string; readonly end: () => void } {
    const child = spawn(program, args, { env: this.kubectlEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    return { output: () => text, end: () => void child.kill("SIGKILL") };
  }
}

function replyTo(begin: (answer: (response: IncomingMessage) => void) => ReturnType<typeof plainRequest>, body: string | undefined): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = begin((response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ code: response.statusCode ?? 0, headers: response.headers, body: text }));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
