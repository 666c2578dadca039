import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Handler } from "../../src/api/resource.ts";
import { runHandler } from "../../src/host/handlers.ts";

const target = {
  attempt: "w@0@1",
  pid: process.pid,
  path: "w@0",
  workingDir: "/usr",
  env: [["NAME", "it's"]] as const,
  umask: "0077",
  wrap: [],
  container: undefined,
};
const run = (handler: Handler, timeout = 5000) => runHandler(handler, target, timeout, []);
const get = (port: number, path: string): Handler => ({ httpGet: { host: "127.0.0.1", port, path, scheme: "HTTP", headers: [["x-probe", "yes"]] } });

describe("requests", () => {
  const web = createServer((request, response) => {
    if (request.url === "/slow") return;
    response.statusCode = request.url === "/echo" && request.headers["x-probe"] !== "yes" ? 400 : Number(request.url?.slice(1)) || 200;
    response.end("x".repeat(100_000));
  });
  const mute = createTcpServer(() => {});
  const portOf = (server: Server): number => (server.address() as AddressInfo).port;
  beforeAll(() => Promise.all([web, mute].map((server) => new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready)))));
  afterAll(() => {
    web.closeAllConnections();
    for (const server of [web, mute]) server.close();
  });

  test.each([
    ["/echo", { ok: true }],
    ["/302", { ok: true }],
    ["/404", { ok: false, message: "HTTP status 404" }],
    ["/500", { ok: false, message: "HTTP status 500" }],
  ])("%s", async (path, expected) => expect(await run(get(portOf(web), path))).toEqual(expected));
  test("that are not answered in time have failed", async () => {
    expect(await run(get(portOf(web), "/slow"), 200)).toEqual({ ok: false, message: "timed out after 0.2s" });
    expect(await run(get(portOf(mute), "/"), 200)).toEqual({ ok: false, message: "timed out after 0.2s" });
  });
  test("to nobody have failed", async () => expect(await run(get(1, "/"))).toMatchObject({ ok: false, message: expect.stringMatching(/ECONNREFUSED/) }));
  test("connections", async () => {
    expect(await run({ tcpSocket: { host: "localhost", port: portOf(mute) } })).toEqual({ ok: true });
    expect(await run({ tcpSocket: { host: "127.0.0.1", port: 1 } })).toMatchObject({ ok: false });
  });
});

describe("commands", () => {
  test.each([
    [["true"], { ok: true }],
    [["sh", "-c", "echo to stdout; echo to stderr >&2; exit 3"], { ok: false, message: "exit code 3: to stdout to stderr" }],
    [["sh", "-c", "kill -9 $$"], { ok: false, message: expect.stringMatching(/SIGKILL|137/), killed: true }],
    [["/no/such/program"], { ok: false, message: expect.stringMatching(/127.*no.such.program/) }],
    [["sh", "-c", '[ "$NAME" = "it\'s" ] && [ "$(pwd)" = /usr ] && [ "$(umask)" = 0077 ] && [ -z "$_holdfast_0" ]'], { ok: true }],
    [["sh", "-c", "yes | head -c 1000000; exit 1"], { ok: false, message: expect.stringMatching(/^exit code 1: y y/) }],
  ])("%j", async (exec, expected) => expect(await run({ exec })).toEqual(expected));
  test("that take too long are ended with all that they started", async () => {
    const before = Date.now();
    expect(await run({ exec: ["sh", "-c", "sleep 30 & sleep 30"] }, 200)).toEqual({ ok: false, message: "timed out after 0.2s" });
    expect(Date.now() - before).toBeLessThan(3000);
  });
});

test("a pause", async () => {
  expect(await run({ sleep: 0 })).toEqual({ ok: true });
  expect(await run({ sleep: 5 }, 50)).toMatchObject({ ok: false });
});
