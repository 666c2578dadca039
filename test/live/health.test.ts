/** Hooks, init commands and probes of real processes, under a controller of its own. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { ReplicaStatus } from "../../src/api/status.ts";
import { end, Live, PATIENCE, sleep, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("the health of a workload", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());
  const file = (name: string): string => join(live.directory, name);
  const replica = (name = "w", ordinal = 0): ReplicaStatus => live.view(name).status.replicaStatuses?.[ordinal] as ReplicaStatus;
  /** A small server: /ready and /live answer 200 while a file of that name is there. */
  const server = (port: number): string => {
    const program = file("server.cjs");
    writeFileSync(
      program,
      `const { createServer } = require("node:http"); const { existsSync } = require("node:fs");
       createServer((request, response) => { response.statusCode = existsSync(${JSON.stringify(live.directory)} + request.url) ? 200 : 503; response.end(); }).listen(${port}, "127.0.0.1");`,
    );
    return `command: [${process.execPath}, ${program}]`;
  };
  const PORT = 20_000 + (process.pid % 20_000);

  test("readiness moves Ready, both ways, and restarts nothing", async () => {
    const { told } = await live.started(
      workload("w", `{${server(PORT)}, readinessProbe: {httpGet: {port: ${PORT}, path: /ready}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 2}}`),
    );
    await until("it is told", () => told().some((line) => /Unhealthy: w@0: readiness probe failed: (HTTP status 503|.*ECONNREFUSED)/.test(line)));
    expect(replica()).toMatchObject({ ready: false, state: { running: {} } });
    const pid = live.pid("w");
    writeFileSync(file("ready"), "");
    await until("it is ready", () => replica().ready);
    expect(live.view("w").status.conditions[0]).toMatchObject({ type: "Ready", status: "True" });
    rmSync(file("ready"));
    await until("it is not ready any more", () => !replica().ready);
    expect(live.view("w").status.conditions[0]).toMatchObject({ status: "False", reason: "NotReady", message: expect.stringMatching(/503/) });
    expect([live.pid("w"), replica().restartCount]).toEqual([pid, 0]);
  });

  test("a probe that was killed for memory is not what ended the main process later", async () => {
    const greedy = "{exec: {command: [dd, if=/dev/zero, of=/dev/null, bs=100M, count=1]}, periodSeconds: 600, timeoutSeconds: 60}";
    const { told } = await live.started(
      workload("w", `{command: [sleep, '300'], limits: {memory.max: 32Mi, memory.swap.max: 0}, backoff: {initial: 0s, max: 0s}, readinessProbe: ${greedy}}`),
    );
    await until("the probe was killed", () => told("Unhealthy").some((line) => /exit code 137|SIGKILL/.test(line)), 20_000);
    const pid = live.pid("w");
    await sleep(200);
    process.kill(pid, "SIGKILL");
    await until("it has ended", () => told().some((line) => line.includes("w@0 ended")));
    expect(told().find((line) => line.includes("w@0 ended"))).toMatch(/^Error: w@0 ended: Error \(SIGKILL\)/);
  });

  test("is asked at once when its init commands and its hook are done, however long those take", async () => {
    const { told } = await live.started(
      workload(
        "w",
        `{command: [sleep, '300'], initCommands: [{name: one, command: [sleep, '1.2']}], lifecycle: {postStart: {sleep: {seconds: 1}}}, readinessProbe: {exec: {command: ["true"]}, periodSeconds: 600}}`,
      ),
    );
    await until("it is ready", () => told("Ready").length > 0);
  });

  test("a failing liveness probe restarts, with the policy's back-off, and says why", async () => {
    writeFileSync(file("live"), "");
    const { told } = await live.started(
      workload(
        "w",
        `{${server(PORT + 1)}, startupProbe: {tcpSocket: {port: ${PORT + 1}}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 30}, livenessProbe: {httpGet: {port: ${PORT + 1}, path: /live}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 2}}`,
      ),
    );
    await until("it is ready", () => replica().ready);
    const pid = live.pid("w");
    await sleep(1500);
    expect(live.pid("w")).toBe(pid);
    rmSync(file("live"));
    await until("it was restarted", () => live.pid("w") !== pid && replica().restartCount >= 1, 20_000);
    writeFileSync(file("live"), "");
    // It is told when all of that look is done.
    await until("that is told", () => told().some((line) => /^Killing: .*liveness probe failed/.test(line)));
    expect(replica().lastState?.terminated).toMatchObject({ reason: "Error", message: "liveness probe failed: HTTP status 503" });
  });

  test("exec probes run in the workload's cgroup, as its user, and are bounded in time", async () => {
    const probe = `[sh, -c, "cat /proc/self/cgroup >${file("where")}; id -u >${file("who")}; sleep 60"]`;
    writeFileSync(file("where"), "", { mode: 0o666 });
    writeFileSync(file("who"), "", { mode: 0o666 });
    for (const name of ["where", "who"]) (await import("node:fs")).chmodSync(file(name), 0o666);
    (await import("node:fs")).chmodSync(live.directory, 0o1777);
    const { told } = await live.started(
      workload("w", `{command: [sleep, '300'], user: nobody, limits: {pids.max: 50}, readinessProbe: {exec: {command: ${probe}}, periodSeconds: 1}}`),
    );
    await until("it timed out", () => told().some((line) => line.includes("readiness probe failed: timed out after 1s")));
    expect(readFileSync(file("where"), "utf8")).toContain(`/${live.root}/w@0`);
    expect(readFileSync(file("who"), "utf8")).toBe("65534\n");
    await until("nothing of it is left but the next", () => live.procs("", "w@0").length <= 4);
  });

  test("init commands run to completion before every start; one that fails is tried again with back-off", async () => {
    const log = file("order");
    const inits = `[{name: first, command: [sh, -c, "sleep 0.3; echo first >>${log}"]}, {name: second, command: [sh, -c, "echo second >>${log}; test -f ${file("go")}"]}]`;
    const { told } = await live.started(
      workload("w", `{command: [sh, -c, "echo main >>${log}; exec sleep 300"], initCommands: ${inits}, backoff: {initial: 300ms, max: 300ms}}`),
    );
    await until("it is initializing", () => replica().state.waiting?.reason === "Init:0/2");
    await until("it failed", () => told().some((line) => line.startsWith("InitError: w@0 ended: InitError (init command second: exit code 1)")));
    expect(readFileSync(log, "utf8")).not.toContain("main");
    writeFileSync(file("go"), "");
    await until("it runs", () => replica().ready, 20_000);
    await until("it says so", () => readFileSync(log, "utf8").endsWith("first\nsecond\nmain\n"));
  });

  test("postStart comes before Ready; preStop before the stop signal, within the grace period", async () => {
    const log = file("order");
    const spec = `{command: [sh, -c, "trap 'echo term >>${log}; exit 0' TERM; echo main >>${log}; while :; do sleep 0.1; done"], lifecycle: {postStart: {exec: {command: [sh, -c, "sleep 0.5; echo post >>${log}"]}}, preStop: {exec: {command: [sh, -c, "echo pre >>${log}; sleep 0.3; echo pre2 >>${log}"]}}}}`;
    await live.started(workload("w", spec));
    await until("main runs", () => readFileSync(log, "utf8").includes("main"));
    expect(replica().ready).toBe(false);
    await until("it is ready", () => replica().ready);
    expect(readFileSync(log, "utf8")).toBe("main\npost\n");
    live.write(group("g"));
    await until("it is gone", () => !existsSync(live.cgroup("", "w@0")));
    expect(readFileSync(log, "utf8")).toBe("main\npost\npre\npre2\nterm\n");
  });

  test("a postStart hook that fails ends the start; a preStop hook that hangs ends with the grace period", async () => {
    const { told } = await live.started(
      workload("w", "{command: [sleep, '300'], lifecycle: {postStart: {exec: {command: [sh, -c, 'echo no; exit 4']}}}, backoff: {initial: 60s}}"),
    );
    await until("it is told", () => told().some((line) => line.includes("postStart hook failed: exit code 4: no")));
    live.write(workload("v", "{command: [sleep, '300'], terminationGracePeriodSeconds: 1, lifecycle: {preStop: {sleep: {seconds: 600}}}}"), "b.yaml");
    await until("v runs", () => live.pid("v"));
    const asked = Date.now();
    live.write(undefined, "b.yaml");
    await until("v is gone", () => !existsSync(live.cgroup("", "v@0")), 20_000);
    expect(Date.now() - asked).toBeLessThan(8000 * PATIENCE);
  });

  test("killMode: Process leaves what the main process left, ControlGroup asks all", async () => {
    const child = (name: string): string =>
      `(trap 'echo asked >>${file(name)}; exit 0' TERM; echo >${file(`${name}.up`)}; while :; do sleep 0.1; done) & echo $! >${file(`${name}.pid`)}`;
    await live.started(
      [
        workload("p", `{command: [sh, -c, "${child("p")}; exec sleep 300"], killMode: Process, backoff: {initial: 100ms}}`),
        workload("c", `{command: [sh, -c, "${child("c")}; sleep 300; :"], killMode: ControlGroup, terminationGracePeriodSeconds: 20}`),
      ].join("---\n"),
    );
    const pidIn = (name: string): number => Number(readFileSync(file(`${name}.pid`), "utf8"));
    const left = await until("p has a child", () => pidIn("p"));
    // A child that is asked before it can answer is ended by the question.
    await until("c has a child that runs", () => existsSync(file("c.up")));
    const main = live.pid("p");
    process.kill(main, "SIGKILL");
    await until("p runs again beside it", () => live.pid("p") !== main, 5000);
    expect(existsSync(`/proc/${left}`)).toBe(true);
    live.write(group("g"));
    await until("all is gone", () => !existsSync(live.cgroup("", "c@0")) && !existsSync(live.cgroup("", "p@0")), 20_000);
    expect(readFileSync(file("c"), "utf8")).toBe("asked\n");
    // It may wait for the first process of the machine to reap it.
    await until("the child is gone", () => !existsSync(`/proc/${left}`) || /\) Z /.test(readFileSync(`/proc/${left}/stat`, "utf8")));
  });

  test("the end of a main process that others outlive is noticed, also when it is not declared any more", async () => {
    const script = `(trap '' TERM; while :; do sleep 0.2; done) & trap 'sleep 1; exit 0' TERM; echo up >${file("up")}; while :; do sleep 0.1; done`;
    const { told } = await live.started(workload("w", `{command: [sh, -c, "${script}"]}`));
    await until("it runs", () => existsSync(file("up")));
    live.write(group("g"));
    await until("it is gone", () => !existsSync(live.cgroup("", "w@0")), 10_000);
    expect(told("Stopped")).toEqual(["Stopped: w@0 ended: Completed"]);
  });

  test("a new controller keeps what it finds ready, and begins no hook anew", async () => {
    const spec = `{command: [sleep, '300'], lifecycle: {postStart: {exec: {command: [sh, -c, "echo post >>${file("post")}"]}}}, readinessProbe: {exec: {command: [test, -f, ${file("ready")}]}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 2}}`;
    writeFileSync(file("ready"), "");
    const first = await live.started(workload("w", spec));
    await until("it is ready", () => replica().ready);
    const pid = live.pid("w");
    await end(first.child, "SIGKILL");
    const second = await live.started(workload("w", spec));
    expect(replica().ready).toBe(true);
    await sleep(1500);
    expect([live.pid("w"), replica().ready]).toEqual([pid, true]);
    expect(readFileSync(file("post"), "utf8")).toBe("post\n");
    expect(second.told().some((line) => /Unhealthy|Ready:/.test(line))).toBe(false);
    rmSync(file("ready"));
    await until("it is found not to be ready", () => !replica().ready);
  });
});
