/** A controller that is served: what it answers, to whom, and that it is what the kernel says. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { end, Live, PATIENCE, sleep, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";
import { has } from "../support/programs.ts";
import { promtool, Served, whyWithout } from "../support/served.ts";

interface Listed {
  readonly kind: string;
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly annotations: Record<string, string> };
    readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

const KINDS = "/apis/holdfast.dev/v1alpha1";
const MANIFEST = [
  group("g", "{limits: {memory.max: 64Mi, pids.max: 50}}"),
  workload("w", "{limitGroupRef: {name: g}, command: [sh, -c, 'echo started; exec sleep 300']}"),
].join("---\n");

(whyNotLive === undefined ? describe : describe.skip)("a served controller", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const start = async (...more: string[]): Promise<Served> => {
    const { output } = await live.started(MANIFEST, "--resync", "1s", "--listen", "127.0.0.1:0", ...more);
    const served = new Served(live, output());
    await until("it runs", () => live.pid("w"));
    return served;
  };

  test("answers on a socket that is its owner's alone, in Kubernetes' words", async () => {
    const served = await start();
    expect(statSync(served.socket).mode & 0o777).toBe(0o600);
    for (const path of ["/livez", "/readyz", "/healthz"]) expect(await served.ask(path)).toMatchObject({ code: 200, body: "ok" });
    const groups = await served.json<Listed>(`${KINDS}/limitgroups`);
    expect(groups).toMatchObject({ kind: "LimitGroupList", items: [{ kind: "LimitGroup", metadata: { name: "g" }, spec: { limits: { "pids.max": 50 } } }] });
    expect(groups.items[0]?.metadata.annotations["holdfast.dev/source"]).toMatch(/a\.yaml:3$/);
    expect(await served.json(`${KINDS}/workloads/w`)).toMatchObject({ status: { readyReplicas: 1 } });
    expect(JSON.parse((await served.ask(`${KINDS}/workloads/x`)).body)).toMatchObject({
      kind: "Status",
      reason: "NotFound",
      code: 404,
      message: 'workloads.holdfast.dev "x" not found',
    });
    const table = await served.json<{ rows: { cells: unknown[] }[] }>(`${KINDS}/limitgroups`, {
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    });
    expect(table.rows[0]?.cells.slice(0, 3)).toEqual(["g", "True", "memory.max 64Mi, pids.max 50"]);
    for (const query of ["labelSelector=a%20b", "fieldSelector=x", "fieldSelector=spec.foo%3Dx", "watch=true&resourceVersion=x"])
      expect((await served.ask(`${KINDS}/limitgroups?${query}`)).code).toBe(400);
    for (const query of [
      "part?workload=w&ordinal=0&tail=x",
      "part?workload=w&ordinal=0&since=-1",
      "?workload=w&ordinal=0&at=0&to=1e3",
      "?workload=w&ordinal=0",
      "part?workload=w",
    ])
      expect((await served.ask(`/cli/log/${query}`.replace("/?", "?"))).code).toBe(400);
    expect((await served.ask(`${KINDS}/limitgroups?labelSelector=no%3Dsuch`)).body).toContain('"items":[]');
    expect((await served.ask("/apis/nothing/v1/things")).code).toBe(404);
  });

  test("is read-only, and says which file to edit", async () => {
    const served = await start();
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const { code, body } = await served
        .ask(`${KINDS}/limitgroups/g`, { method, headers: { "content-length": "100000" }, body: "x".repeat(100_000) })
        .catch(() => ({ code: 405, body: "" }));
      expect(code).toBe(405);
      if (body !== "")
        expect(JSON.parse(body)).toMatchObject({
          kind: "Status",
          reason: "MethodNotAllowed",
          message: expect.stringMatching(/source of truth; edit .*a\.yaml:3 instead/),
        });
    }
    expect((await served.ask(`${KINDS}/limitgroups`, { method: "DELETE" })).body).toContain(`the manifests are in ${live.manifests}`);
    expect(live.read("pids", "g", "pids.max")).toBe("50");
  });

  test("on the port nobody gets in without the token, from another page or by another name", async () => {
    const served = await start();
    const files = join(live.runDirectory, "serving");
    expect([statSync(files).mode & 0o777, statSync(join(files, "token")).mode & 0o777, statSync(join(files, "tls.key")).mode & 0o777]).toEqual([
      0o700, 0o600, 0o600,
    ]);
    const bearer = { authorization: `Bearer ${served.token}` };
    const path = `${KINDS}/limitgroups`;
    expect((await served.askPort(path, { headers: bearer })).code).toBe(200);
    expect((await served.askPort(path)).code).toBe(401);
    expect((await served.askPort(path, { headers: { authorization: `Bearer ${"x".repeat(served.token.length)}` } })).code).toBe(401);
    expect((await served.askPort(path, { headers: { ...bearer, host: "evil.example" } })).code).toBe(403);
    expect((await served.askPort(path, { headers: { ...bearer, origin: "https://evil.example" } })).code).toBe(403);
    expect((await served.askPort("/livez")).code).toBe(200);
    for (const closed of ["/metrics", "/cli/state", "/dashboard/state", "/dashboard/stream", "/openapi/v2", "/version"])
      expect((await served.askPort(closed)).code).toBe(401);
    for (const body of ["wrong", "", "é".repeat(served.token.length), "x".repeat(5000)])
      expect((await served.askPort("/login", { method: "POST", body })).code).toBe(401);
    const { code, headers } = await served.askPort("/login", { method: "POST", body: served.token });
    expect(code).toBe(204);
    const [cookie = ""] = headers["set-cookie"] ?? [];
    expect(cookie).toMatch(/; HttpOnly; Secure; SameSite=Strict$/);
    const page = await served.askPort("/", { headers: { cookie: cookie.split(";")[0] ?? "" } });
    expect(page.headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+'; connect-src 'self'/);
    expect(page.body).not.toMatch(/(src|href)="https?:/);
  });

  test("keeps its credentials over restarts, and refuses those that others can read", async () => {
    const served = await start();
    const { token } = served;
    await live.stop();
    const again = new Served(live, (await live.started(undefined, "--resync", "1s", "--listen", "127.0.0.1:0")).output());
    expect(again.token).toBe(token);
    await live.stop();
    writeFileSync(join(live.runDirectory, "serving", "tls.key"), "garbage");
    const mended = await live.started(undefined, "--resync", "1s", "--listen", "127.0.0.1:0");
    expect(mended.output()).toContain("are made anew: holdfast kubeconfig has what is needed now");
    expect((await new Served(live, mended.output()).askPort("/livez")).code).toBe(200);
    await live.stop();
    chmodSync(join(live.runDirectory, "serving", "token"), 0o644);
    const { code, stderr, stdout } = live.holdfast("run", "--listen", "127.0.0.1:0");
    expect([code, stdout + stderr]).toEqual([1, expect.stringMatching(/can be read by others: chmod 600 it/)]);
    expect(live.holdfast("run", "--listen", "0.0.0.0:0")).toMatchObject({ code: 1, stderr: expect.stringContaining("--allow-remote") });
    expect(live.holdfast("run", "--listen", "nonsense")).toMatchObject({ code: 1, stderr: expect.stringContaining("expected an address and a port") });
    expect(live.holdfast("kubeconfig")).toMatchObject({ code: 1, stderr: expect.stringContaining("listens on a port") });
  });

  test("a watch hears of drift and of changes, of what it chose, and of nothing twice", async () => {
    const served = await start();
    const { metadata } = await served.json<Listed>(`${KINDS}/limitgroups`);
    const lines: { type: string; object: { metadata: { name: string; resourceVersion: string }; status?: { drift?: { count: number } } } }[] = [];
    const { request } = await import("node:http");
    const asked = request({ socketPath: served.socket, path: `${KINDS}/limitgroups?watch=1&resourceVersion=${metadata.resourceVersion}` }, (response) => {
      let rest = "";
      response.on("data", (chunk: Buffer) => {
        const parts = (rest + chunk.toString()).split("\n");
        rest = parts.pop() ?? "";
        lines.push(...parts.map((line) => JSON.parse(line)));
      });
      response.on("error", () => {});
    });
    asked.on("error", () => {});
    asked.end();
    await sleep(200);
    live.behind("pids", "g", "pids.max", "7");
    await until("drift is told", () => lines.some(({ type, object }) => type === "MODIFIED" && object.status?.drift?.count === 1));
    live.write(`${MANIFEST}---\n${group("h", "{}")}`);
    await until("a new group is told", () => lines.some(({ type, object }) => type === "ADDED" && object.metadata.name === "h"));
    live.write(MANIFEST);
    await until("that it went is told", () => lines.some(({ type, object }) => type === "DELETED" && object.metadata.name === "h"));
    asked.destroy();
    const versions = lines.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    expect((await served.ask(`${KINDS}/limitgroups?watch=1&resourceVersion=99999999999999`)).body).toMatch(/"reason":"Expired"/);
    expect((await served.ask(`${KINDS}/limitgroups?watch=1&resourceVersion=1`)).body).toMatch(/"type":"ERROR".*"reason":"Expired".*"code":410/);
    // A question is read as Kubernetes reads it: yes is a word for yes, and False for no.
    expect((await served.ask(`${KINDS}/limitgroups?watch=yes&resourceVersion=1`)).body).toMatch(/"type":"ERROR"/);
    expect((await served.ask(`${KINDS}/limitgroups?watch=False&resourceVersion=1`)).body).toMatch(/"kind":"LimitGroupList"/);
  });

  test("get, describe and events say the same with the controller and without", async () => {
    const served = await start();
    const look = (): string[] => [live.holdfast("get", "-o", "json").stdout, live.holdfast("events", "-o", "json").stdout];
    const strip = (text: string): unknown => JSON.parse(text, (key, value) => (key === "lastTransitionTime" ? "" : value));
    expect((await served.ask("/cli/state")).code).toBe(200);
    const [objects = "", events = ""] = look();
    await until(
      "the state is saved",
      () =>
        (statSync(join(live.runDirectory, "status.json")).mtimeMs > 0 && Date.now() - statSync(join(live.runDirectory, "status.json")).mtimeMs > 600) ||
        undefined,
    );
    await live.stop();
    const [objectsAfter = "", eventsAfter = ""] = look();
    expect(strip(objectsAfter)).toEqual(strip(objects));
    expect(JSON.parse(eventsAfter)).toEqual(JSON.parse(events));
    expect(live.holdfast("events", "workload", "w").stdout).toMatch(/Normal +Started +workload\/w +w@0/);
    expect(live.holdfast("events", "--watch")).toMatchObject({ code: 1, stderr: expect.stringContaining("no controller is at work") });
  });

  test("metrics are what the kernel says, and well-formed", async () => {
    const served = await start();
    const disk = process.env["HOLDFAST_TEST_DISK"] ?? "path:/var/tmp";
    live.write(group("disk", `{limits: {io.max: [{device: "${disk}", rbps: 1000000}]}}`), "disk.yaml");
    await until("it is limited", () => existsSync(live.cgroup("io", "disk")) || existsSync(live.cgroup("blkio", "disk")));
    await until("that is served", async () => (await served.ask(`${KINDS}/limitgroups/disk`)).code === 200);
    const { body, headers } = await served.ask("/metrics");
    expect(headers["content-type"]).toContain("version=0.0.4");
    const value = (name: string, labels: string): number => Number(new RegExp(`^${name}\\{${labels}\\} (.*)$`, "m").exec(body)?.[1]);
    const of = 'kind="LimitGroup",name="g"';
    expect(value("holdfast_limit_desired", `${of},knob="memory.max"`)).toBe(64 << 20);
    expect(value("holdfast_limit_observed", `${of},knob="pids.max"`)).toBe(Number(live.read("pids", "g", "pids.max")));
    for (const name of ["desired", "observed"]) {
      expect(value(`holdfast_io_limit_${name}`, `kind="LimitGroup",name="disk",device="${disk}",rate="rbps"`)).toBe(1_000_000);
      expect(body).toMatch(new RegExp(`^holdfast_io_limit_${name}\\{.*rate="wiops"\\} \\+Inf$`, "m"));
    }
    expect(value("holdfast_pids", of)).toBe(Number(live.read("pids", "g", "pids.current")));
    expect(value("holdfast_object_ready", `${of},reason="Converged"`)).toBe(1);
    expect(value("holdfast_cpu_usage_seconds_total", of)).toBeGreaterThan(0);
    expect(value("holdfast_workload_replicas", 'name="w",state="ready"')).toBe(1);
    expect(body).toMatch(/^controller_runtime_reconcile_total\{controller="holdfast",result="success"\} [1-9]/m);
    expect(body).not.toMatch(/ Nan$/m);
    // Nothing is asked for in docs/ that there is not.
    const there = new Set([...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = "", type]) => (type === "histogram" ? [`${name}_bucket`] : [name])));
    const [alerts, dashboard] = ["docs/prometheus/alerts.yaml", "docs/prometheus/grafana-dashboard.json"].map((file) => readFileSync(file, "utf8")) as [
      string,
      string,
    ];
    const { panels } = JSON.parse(dashboard) as { panels: { targets: { expr: string }[] }[] };
    const asked = [...alerts.matchAll(/expr: (.*)/g)].map(([, expr = ""]) => expr).concat(panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)));
    expect(asked.length).toBeGreaterThan(25);
    for (const expr of asked) for (const [name] of expr.matchAll(/\b(holdfast|controller_runtime|workqueue)_\w+/g)) expect(there).toContain(name);
    if (whyWithout(promtool) === undefined) {
      const check = (...args: string[]) => spawnSync(promtool ?? "promtool", ["check", ...args], { input: body, encoding: "utf8" });
      expect(check("metrics")).toMatchObject({ status: 0, stderr: "" });
      expect(check("rules", "docs/prometheus/alerts.yaml").status).toBe(0);
    }
  });

  test("top is what the kernel says", async () => {
    await start();
    const rows = JSON.parse(live.holdfast("top", "-n", "1", "--interval", "200ms", "-o", "json").stdout) as {
      name: string;
      pids: number;
      pidsMax: number;
      memoryMax: number;
      cpu: number;
    }[];
    const row = rows.find(({ name }) => name === "g");
    expect(row).toMatchObject({ pids: Number(live.read("pids", "g", "pids.current")), pidsMax: 50, memoryMax: 64 << 20 });
    expect(row?.cpu).toBeGreaterThanOrEqual(0);
    expect(live.holdfast("top", "-n", "1", "--interval", "200ms").stdout).toMatch(/^NAME +CPU +OF QUOTA .*\n(.*\n)?g .* 1\/50 /);
    for (const bad of [
      ["-n", "0"],
      ["--interval", "1ms"],
    ])
      expect(live.holdfast("top", ...bad).code).toBe(1);
  });

  test("what logs and top tell they ask of the controller, and tell the same without it", async () => {
    await start();
    const opened = (...words: string[]): string => {
      if (!has("strace")) return "";
      const trace = join(live.directory, "trace");
      spawnSync("strace", [
        "-f",
        "-qq",
        "-e",
        "trace=openat,connect",
        "-o",
        trace,
        process.execPath,
        "bin/holdfast.js",
        ...words,
        ...live.options.with(0, "--filename"),
      ]);
      return readFileSync(trace, "utf8");
    };
    const ways = [
      ["logs", "w"],
      ["logs", "w", "--tail", "1"],
      ["logs", "w", "--tail", "0"],
      ["logs", "w", "--since", "1h"],
      ["logs", "w", "--prefix"],
      ["logs", "w", "--previous"],
      ["logs", "w", "--replica", "7"],
    ];
    const told = (): unknown[] =>
      ways
        .map((words) => spawnSync(process.execPath, ["bin/holdfast.js", ...words, ...live.options.with(0, "--filename")], { encoding: "utf8" }))
        .map(({ status, stdout, stderr }) => ({ status, stdout, stderr }));
    const rows = (): unknown =>
      (JSON.parse(live.holdfast("top", "-n", "1", "--interval", "200ms", "-o", "json").stdout) as Record<string, unknown>[]).map((row) => ({
        ...row,
        ...{ cpu: typeof row["cpu"], throttled: typeof row["throttled"], memory: typeof row["memory"], pressure: typeof row["pressure"] },
      }));
    const [log, procs] = [`${live.logDirectory}/w/`, `/${live.root}/g/`];
    const served = [told(), rows(), opened("logs", "w"), opened("top", "-n", "1", "--interval", "100ms")] as const;
    await live.stop();
    const alone = [told(), rows(), opened("logs", "w"), opened("top", "-n", "1", "--interval", "100ms")] as const;
    expect(served[0]).toEqual(alone[0]);
    expect(served[0][0]).toMatchObject({ status: 0, stdout: "started\n" });
    expect(served[1]).toEqual(alone[1]);
    if (!has("strace")) return;
    for (const [at, files] of [
      [2, log],
      [3, procs],
    ] as const) {
      expect([served[at].includes("holdfast.sock"), served[at].includes(files)]).toEqual([true, false]);
      expect(alone[at].includes(files)).toBe(true);
    }
  });

  test("a log that is followed goes on when the controller is gone, with nothing twice and nothing lost", async () => {
    const go = join(live.directory, "go");
    const { child } = await live.started(
      workload(
        "f",
        `{command: [sh, -c, 'for i in 1 2 3; do echo line $i; done; while [ ! -e ${go} ]; do sleep 0.05; done; for i in 4 5 6; do echo line $i; sleep 0.1; done; exec sleep 300']}`,
      ),
    );
    const following = spawn(process.execPath, ["bin/holdfast.js", "logs", "f", "-f", ...live.options.with(0, "--filename")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    following.stdout.on("data", (part) => (text += part));
    try {
      await until("it has told what there was", () => text.includes("line 3"));
      await end(child, "SIGKILL");
      writeFileSync(go, "");
      await until("it tells what comes", () => text.includes("line 6"));
      expect(text).toBe("line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n");
    } finally {
      following.kill("SIGINT");
    }
  });

  test("nonsense, floods and slowness do it no harm", async () => {
    const served = await start();
    const raw = (text: string | Buffer): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect(served.socket);
        let reply = "";
        socket.on("data", (chunk) => (reply += chunk.toString("latin1")));
        socket.on("error", () => resolve(reply));
        socket.on("close", () => resolve(reply));
        socket.end(text);
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ maxLength: 300 })), async (noise) => {
        expect(await raw(typeof noise === "string" ? noise : Buffer.from(noise))).not.toMatch(/^HTTP\/1\.1 5/);
      }),
      { numRuns: 100 },
    );
    const part = fc.constantFrom(
      "api",
      "apis",
      "v1",
      "holdfast.dev",
      "v1alpha1",
      "limitgroups",
      "pods",
      "namespaces",
      "default",
      "g",
      "w-0",
      "log",
      "..",
      "%2e%2e",
      "%",
      "%00",
      "",
      "openapi",
      "v3",
      "metrics.k8s.io",
      "v1beta1",
      "dashboard",
      "object",
    );
    const query = fc.constantFrom(
      "",
      "?watch=true&timeoutSeconds=0",
      "?labelSelector=%28",
      "?fieldSelector=a%3Db",
      "?limit=x",
      "?key=LimitGroup/g",
      "?key=__proto__/x",
      "?tailLines=-1",
      "?resourceVersion=-1&watch=1",
      "?as=Table",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 7 }), query, fc.constantFrom("GET", "HEAD", "POST", "OPTIONS"), async (parts, asked, method) => {
        const reply = await raw(`${method} /${parts.join("/")}${asked} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
        expect(reply).toMatch(/^(HTTP\/1\.1 [1234]|$)/);
      }),
      { numRuns: 300 },
    );
    expect(await raw(`GET /${"x".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`)).not.toMatch(/ 200 /);
    expect(await raw(`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(50_000)}\r\n`)).not.toMatch(/ 200 /);
    // Many who never finish their question.
    const slow = Array.from({ length: 300 }, (): Socket => {
      const socket = connect(served.socket);
      socket.on("error", () => {});
      socket.resume();
      socket.write("GET /livez HTTP/1.1\r\nho");
      return socket;
    });
    // And some who ask nothing, on the port, where anybody may knock.
    for (let count = 0; count < 50; count++) {
      const socket = connect(served.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume();
      slow.push(socket);
    }
    expect((await served.ask("/livez")).code).toBe(200);
    live.behind("pids", "g", "pids.max", "9");
    await until("drift is repaired all the same", () => live.read("pids", "g", "pids.max") === "50");
    await until("they are sent away", () => slow.every(({ destroyed }) => destroyed), 25_000);
    for (const socket of slow) socket.destroy();
  });

  test("one who asks and asks, and reads nothing, is sent away", async () => {
    const served = await start();
    const greedy = Array.from({ length: 10 }, () => {
      const socket = connect(served.socket);
      socket.on("error", () => {});
      socket.write("GET /openapi/v2 HTTP/1.1\r\nhost: x\r\n\r\n".repeat(200));
      return socket;
    });
    const began = Date.now();
    expect((await served.ask("/livez")).code).toBe(200);
    expect(Date.now() - began).toBeLessThan(1500 * PATIENCE);
    await until("they are gone", () => greedy.every((socket) => socket.resume().destroyed));
  });

  test("clients that vanish in the middle of an answer take nothing with them", async () => {
    const served = await start();
    for (const path of ["/metrics", `${KINDS}/limitgroups?watch=true`, "/cli/state", "/api/v1/namespaces/default/pods/w-0/log?follow=true"])
      for (let count = 0; count < 15; count++) {
        const socket = connect(served.socket);
        socket.on("error", () => {});
        socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`, () => socket.destroy());
        await sleep(count % 3);
      }
    live.behind("pids", "g", "pids.max", "9");
    await until("drift is repaired", () => live.read("pids", "g", "pids.max") === "50");
    await sleep(300);
    expect((await served.ask("/livez")).code).toBe(200);
  });

  test("one who does not read is let go, and holds up nobody", async () => {
    const served = await start();
    const lazy = connect(served.socket);
    lazy.on("error", () => {});
    lazy.write(`GET ${KINDS}/limitgroups?watch=true HTTP/1.1\r\nhost: x\r\n\r\n`);
    lazy.pause();
    const { pid } = JSON.parse(readFileSync(join(live.runDirectory, "controller.json"), "utf8")) as { pid: number };
    const size = (): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
    const before = size();
    for (let count = 0; count < 40; count++) {
      live.behind("pids", "g", "pids.max", "9");
      await until("drift is repaired", () => live.read("pids", "g", "pids.max") === "50", 20_000);
    }
    expect(size() - before).toBeLessThan(60);
    lazy.destroy();
  });
});
