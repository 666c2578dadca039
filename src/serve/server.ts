/** Knows who may ask, and how much: a unix socket for the owner, TLS and a token on a port; slow, huge and foreign requests are turned away. */
import { createHash, timingSafeEqual } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import type { Credentials } from "../host/credentials.ts";
import { type Answer, failure, type Question, type Stream } from "./answer.ts";
import type { Respond } from "./api.ts";

/** ms. A request must have come as a whole within that time. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 75_000, connectionsCheckingInterval: 5000, maxHeaderSize: 16_384 } as const;
/** Of TLS, ms. */
const HANDSHAKE = 10_000;
const LONGEST_PATH = 8192;
/** What may be asked without a token, as of Kubernetes: whether it is alive, and the page that asks for the token. */
const OPEN = new Set(["/livez", "/readyz", "/healthz", "/login"]);
const COOKIE = "holdfast-token";
/** Bytes; nothing but a token is ever read. */
const LARGEST_BODY = 1024;

/** Longest path of a unix socket, with the final NUL (unix(7)). */
const LONGEST_SOCKET = 107;

class SocketPathTooLong extends Error {}

/** On a unix socket, which its owner alone may connect to. */
export async function serveSocket(path: string, connections: number, respond: Respond): Promise<Server> {
  if (Buffer.byteLength(path) > LONGEST_SOCKET) throw new SocketPathTooLong(`${path} is longer than a socket's path can be (${LONGEST_SOCKET} bytes)`);
  // The controller alone serves its root: what is there was left behind.
  rmSync(path, { force: true });
  const server = createServer(LIMITS, (request, response) => safely(request, response, () => handle(request, response, respond)));
  const before = process.umask(0o177);
  try {
    await listening(server, () => server.listen(path));
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
  return bounded(server, connections);
}

/** On a port, with TLS. `names`: by which it is asked for. */
export async function servePort(
  { host, port }: { readonly host: string; readonly port: number },
  names: readonly string[],
  credentials: Credentials,
  connections: number,
  respond: Respond,
): Promise<Server> {
  const asked = names.map((name) => (name.includes(":") ? `[${name}]` : name.toLowerCase()));
  const guard = guardOf(credentials.token, new Set(["localhost", "127.0.0.1", "[::1]", ...asked]));
  const server = createTlsServer(
    { ...LIMITS, key: credentials.key, cert: credentials.certificate, handshakeTimeout: HANDSHAKE, minVersion: "TLSv1.2" },
    (request, response) => safely(request, response, () => guard(request, response, respond)),
  );
  // What is no TLS, or gives up in the middle of it.
  server.on("tlsClientError", () => {});
  await listening(server, () => server.listen(port, host));
  return bounded(server, connections);
}

function bounded<S extends Server>(server: S, connections: number): S {
  server.maxConnections = connections;
  // Where no file is left to be opened, the next one who asks may have more luck.
  server.on("error", () => {});
  server.maxHeadersCount = 100;
  server.on("clientError", (_error, socket) => lastWord(socket, "400 Bad Request", ""));
  server.on("upgrade", (_request, socket) =>
    lastWord(
      socket,
      "405 Method Not Allowed",
      failure("MethodNotAllowed", "exec, attach and port-forward are not served: nothing but reading is").body as string,
    ),
  );
  return server;
}

/** So long an answer may take that is no answer to a request, ms: a handshake may never come to its end. */
const LAST_WORD = 1000;

function lastWord(socket: Duplex, status: string, body: string): void {
  socket.on("error", () => {});
  setTimeout(() => socket.destroy(), LAST_WORD).unref();
  if (socket.writable)
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () =>
      socket.destroy(),
    );
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

/** Questions of one connection that are not answered yet; nobody but a flood asks so many before the first answer. */
const MOST_AT_ONCE = 16;
const unanswered = new WeakMap<object, number>();

/** Whatever a request does, the controller goes on. */
function safely(request: IncomingMessage, response: ServerResponse, answer: () => Promise<void>): void {
  response.on("error", () => {});
  const { socket } = request;
  const count = (unanswered.get(socket) ?? 0) + 1;
  if (socket.destroyed || count > MOST_AT_ONCE) return void socket.destroy();
  unanswered.set(socket, count);
  response.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
  answer().catch(() => void response.destroy());
}

/** Ends a server, watches and all. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Takes as long whatever is offered; digests are of one length, texts are not. */
const equal = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other));
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Whoever has no token, or comes from a page of another place. */
function guardOf(token: string, hosts: ReadonlySet<string>) {
  return async (request: IncomingMessage, response: ServerResponse, respond: Respond): Promise<void> => {
    const host = (request.headers.host ?? "").replace(/:\d+$/, "").toLowerCase();
    // A name that somebody else's DNS server leads here (DNS rebinding).
    if (!hosts.has(host)) return send(request, response, failure("Forbidden", `this server is not ${JSON.stringify(host.slice(0, 100))}`));
    const { origin } = request.headers;
    if (origin !== undefined && origin !== `https://${request.headers.host}`)
      return send(request, response, failure("Forbidden", "requests of other pages are refused"));
    const path = pathOf(request);
    if (path === "/login" && request.method === "POST") return login(request, response);
    const offered = /^Bearer +([\w-]+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? cookieOf(request);
    if (offered !== undefined && equal(offered, token)) return handle(request, response, respond);
    if (OPEN.has(path)) return handle(request, response, respond);
    if (path === "/" && request.method === "GET") return send(request, response, { code: 303, type: "text/plain", body: "", headers: { location: "/login" } });
    send(request, response, { ...failure("Unauthorized", "a token is needed: holdfast kubeconfig has it"), headers: { "www-authenticate": "Bearer" } });
  };

  async function login(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await bodyOf(request);
    if (text === undefined || !equal(text.trim(), token)) return send(request, response, failure("Unauthorized", "that is not the token"));
    const cookie = `${COOKIE}=${token}; Path=/; HttpOnly; Secure; SameSite=Strict`;
    send(request, response, { code: 204, type: "text/plain", body: "", headers: { "set-cookie": cookie } });
  }
}

const cookieOf = ({ headers }: IncomingMessage): string | undefined => new RegExp(`(?:^|; *)${COOKIE}=([\\w-]+)`).exec(headers.cookie ?? "")?.[1];
const pathOf = ({ url = "/" }: IncomingMessage): string => url.split("?", 1)[0] ?? "/";

/** Undefined: it is too much, or does not come. */
function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let length = 0;
    request.on("data", (part: Buffer) => {
      length += part.length;
      if (length > LARGEST_BODY) resolve(undefined);
      else parts.push(part);
    });
    request.on("end", () => resolve(Buffer.concat(parts).toString("utf8")));
    request.on("error", () => resolve(undefined));
    request.on("close", () => resolve(undefined));
  });
}

async function handle(request: IncomingMessage, response: ServerResponse, respond: Respond): Promise<void> {
  const question = questionOf(request);
  if (!question) return send(request, response, failure("BadRequest", "that is no path"));
  try {
    const answer = await respond(question);
    if ("stream" in answer) stream(request, response, answer);
    else send(request, response, answer);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else send(request, response, failure("InternalError", (error as Error).message));
  }
}

function stream(request: IncomingMessage, response: ServerResponse, { stream: begin }: Stream): void {
  if (request.method === "HEAD") return void response.end();
  begin(response);
}

/** Undefined: it cannot be read. */
function questionOf({ method = "GET", url = "/", headers }: IncomingMessage): Question | undefined {
  if (url.length > LONGEST_PATH || !url.startsWith("/")) return undefined;
  const [path = "/", query = ""] = url.split(/\?(.*)/s, 2);
  try {
    return { method, path: decodeURIComponent(path), query: new URLSearchParams(query), headers };
  } catch {
    return undefined;
  }
}

function send(request: IncomingMessage, response: ServerResponse, { code, type, body, headers = {} }: Answer): void {
  // What else would come is not read: nothing is written here.
  const ends = request.method !== "GET" && request.method !== "HEAD";
  response.writeHead(code, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-cache, private",
    "x-content-type-options": "nosniff",
    ...(ends ? { connection: "close" } : {}),
    ...headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
}
