/** What depends on what, and what is replaced when: several workloads and replicas under a controller of its own. */
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { end, Live, sleep, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("the order of things", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());
  const file = (name: string): string => join(live.directory, name);
  const status = (name: string) => live.view(name).status;
  const pids = (name: string): number[] => (status(name).replicaStatuses ?? []).map(({ state }) => state.running?.pid ?? 0);

  test("starts wait for what they depend on, and stops go the other way round", async () => {
    const log = file("order");
    const traced = (name: string, more: string): string =>
      workload(
        name,
        `{command: [sh, -c, "trap 'sleep 0.2; echo -${name} >>${log}; exit 0' TERM; echo +${name} >>${log}; while :; do sleep 0.05; done"]${more}}`,
      );
    const { told } = await live.started(
      [
        traced("web", ", dependsOn: [{name: db}, {name: migrate, condition: Completed}]"),
        workload("migrate", `{command: [sh, -c, "sleep 0.3; echo migrate >>${log}"], restartPolicy: Never, dependsOn: [{name: db, condition: Started}]}`),
        traced("db", `, readinessProbe: {exec: {command: [test, -f, ${file("up")}]}, periodSeconds: 1, timeoutSeconds: 10}`),
      ].join("---\n"),
    );
    await until("migrate is complete", () => readFileSync(log, "utf8").includes("migrate"));
    expect(status("web").replicaStatuses?.[0]?.state.waiting).toEqual({ reason: "DependencyNotMet", message: "waits for db to be ready" });
    expect(readFileSync(log, "utf8")).toBe("+db\nmigrate\n");
    writeFileSync(file("up"), "");
    await until("web runs", () => readFileSync(log, "utf8").endsWith("+web\n"));
    live.write(group("g"));
    await until("held: most are gone at once", () => told().some((line) => line.startsWith("PruneHeld")));
    await sleep(200);
    expect(readFileSync(log, "utf8").endsWith("+web\n")).toBe(true);
    live.write([workload("migrate", "{command: ['true'], restartPolicy: Never}"), group("g")].join("---\n"));
    await until("both ended", () => /-\w+\n-\w+\n$/.test(readFileSync(log, "utf8")), 20_000);
    expect(readFileSync(log, "utf8")).toBe("+db\nmigrate\n+web\n-web\n-db\n");
  });

  test("a workload without replicas is nothing to depend on", async () => {
    const text = (replicas: number): string =>
      [workload("db", `{command: [sleep, '300'], replicas: ${replicas}}`), workload("web", "{command: [sleep, '300'], dependsOn: [{name: db}]}")].join("---\n");
    await live.started(text(0));
    expect(status("web").replicaStatuses?.[0]?.state.waiting).toEqual({
      reason: "DependencyNotMet",
      message: "waits for db to be ready, which has replicas: 0",
    });
    live.write(text(1));
    await until("both run", () => pids("db")[0] && pids("web")[0], 15_000);
    // What runs is not stopped for it.
    live.write(text(0));
    const [pid] = pids("web");
    await until("db is gone", () => !existsSync(live.cgroup("", "db@0")), 15_000);
    expect(pids("web")).toEqual([pid]);
  });

  const rolled = (revision: string, more = ""): string =>
    workload(
      "w",
      `{command: [sh, -c, "test -f ${file(`bad-${revision}`)} || touch ${file("ok")}-$$$$; exec sleep 300"], env: [{name: REVISION, value: ${revision}}], replicas: 3, terminationGracePeriodSeconds: 1, readinessProbe: {exec: {command: [sh, -c, "test ! -f ${file("bad")}-$REVISION"]}, periodSeconds: 1, timeoutSeconds: 10}, strategy: {maxUnavailable: 1, progressDeadlineSeconds: 3}${more}}`,
    );

  test("a new revision reaches one replica after the other, and never more are unavailable", async () => {
    const { told } = await live.started(rolled("one"));
    await until("all are ready", () => status("w").readyReplicas === 3);
    const before = pids("w");
    live.write(rolled("two"));
    let least = 3;
    await until(
      "all are new and ready",
      () => {
        const { readyReplicas = 0, updatedReplicas } = status("w");
        least = Math.min(least, readyReplicas);
        return updatedReplicas === 3 && readyReplicas === 3 && pids("w").every((pid) => !before.includes(pid));
      },
      30_000,
    );
    expect(least).toBe(2);
    const stops = told().filter((line) => line.startsWith("Killing: stop"));
    expect(stops.map((line) => /w@\d/.exec(line)?.[0])).toEqual(["w@2", "w@1", "w@0"]);
  });

  test("a rollout that fails stops and says so; the old replicas stay; the next revision mends it", async () => {
    const { told } = await live.started(rolled("one"));
    await until("all are ready", () => status("w").readyReplicas === 3);
    const [first, second] = pids("w");
    writeFileSync(file("bad-two"), "");
    live.write(rolled("two"));
    await until("it is told", () => told().some((line) => line.startsWith("ProgressDeadlineExceeded")), 20_000);
    expect(pids("w").slice(0, 2)).toEqual([first, second]);
    expect(status("w")).toMatchObject({ readyReplicas: 2, updatedReplicas: 1 });
    expect(status("w").conditions.find(({ type }) => type === "Stalled")).toMatchObject({ status: "True", reason: "ProgressDeadlineExceeded" });
    live.write(rolled("three"));
    await until("all are ready", () => status("w").updatedReplicas === 3 && status("w").readyReplicas === 3, 30_000);
  });

  test("a single replica that does not become available in time is told of, until it does; once is enough", async () => {
    const { told } = await live.started(
      workload(
        "w",
        `{command: [sleep, '300'], strategy: {progressDeadlineSeconds: 2}, readinessProbe: {exec: {command: [test, -f, ${file("ok")}]}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1}}`,
      ),
    );
    const [pid] = pids("w");
    await until("it is told", () => told("ProgressDeadlineExceeded").some((line) => line.includes("0 of 1 replicas are, after 2s")), 20_000);
    writeFileSync(file("ok"), "");
    await until("it is available", () => status("w").conditions[0]?.status === "True", 15_000);
    rmSync(file("ok"));
    await until("it is not any more", () => status("w").readyReplicas === 0, 15_000);
    await sleep(3000);
    expect(status("w").conditions[0]).toMatchObject({ status: "False", reason: "NotReady" });
    expect(told("ProgressDeadlineExceeded")).toHaveLength(1);
    expect(pids("w")).toEqual([pid]);
  });

  test("what a rollout has not reached is asked where and as it was started, not as the new revision would be", async () => {
    const probe = "exec: {command: [sh, -c, 'test -f ok && test $(umask) = 0027']}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1";
    const spec = (directory: string, umask: string): string =>
      workload(
        "w",
        `{command: [sleep, '300'], workingDir: ${file(directory)}, umask: "${umask}", replicas: 2, terminationGracePeriodSeconds: 1, livenessProbe: {${probe}}, readinessProbe: {${probe}}}`,
      );
    for (const directory of ["one", "two"]) mkdirSync(file(directory));
    writeFileSync(file("one/ok"), "");
    const { told } = await live.started(spec("one", "0027"));
    await until("all are ready", () => status("w").readyReplicas === 2);
    const [first] = pids("w");
    live.write(spec("two", "0022"));
    await until("the new one fails", () => told("Error").some((line) => line.includes("w@1 ended: Error (liveness probe failed")), 15_000);
    await sleep(3000);
    expect(told("Killing", "Unhealthy", "Error").filter((line) => line.includes("w@0"))).toEqual([]);
    expect(pids("w")[0]).toBe(first);
  });

  test("scaling touches only the difference; restart rolls over all", async () => {
    const spec = (replicas: number): string => workload("w", `{command: [sleep, '300'], replicas: ${replicas}, terminationGracePeriodSeconds: 1}`);
    await live.started(spec(2));
    const [first, second] = pids("w");
    live.write(spec(4));
    await until("four run", () => pids("w").length === 4 && pids("w").every(Boolean));
    expect(pids("w").slice(0, 2)).toEqual([first, second]);
    live.write(spec(2));
    await until("two are gone", () => !existsSync(live.cgroup("", "w@3")) && !existsSync(live.cgroup("", "w@2")), 15_000);
    expect(pids("w")).toEqual([first, second]);
    const { code, stdout } = live.holdfast("restart", "w");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "workload/w restart asked for\n" });
    await until("both are others", () => pids("w").every((pid) => pid && pid !== first && pid !== second), 15_000);
    expect(status("w").restartCount).toBe(0);
    expect(live.holdfast("restart", "nobody")).toMatchObject({ code: 1, stderr: expect.stringContaining("Workload nobody not found") });
  });

  test("diff tells per field what an edit comes to", async () => {
    const { child } = await live.started(workload("w", "{command: [sleep, '300'], limits: {pids.max: 5}, backoff: {initial: 1s}}"));
    await until("it is remembered", () => existsSync(join(live.runDirectory, "status.json")));
    await end(child, "SIGTERM");
    live.write(workload("w", "{command: [sleep, '301'], limits: {pids.max: 6}, backoff: {initial: 2s}}"));
    const { stdout, code } = live.holdfast("diff");
    expect(code).toBe(1);
    for (const line of ["spec.command: restarts", "spec.limits.pids.max: written in place", "spec.backoff: in force from the next decision on"])
      expect(stdout).toContain(`Workload/w ${line}`);
  });

  test("an env file that changes restarts, once it is whole, and soon", async () => {
    writeFileSync(file("env"), "A=1\n");
    utimesSync(file("env"), new Date(0), new Date(0));
    await live.started(workload("w", `{command: [sh, -c, 'echo "A is $A"; exec sleep 300'], envFrom: [{file: ${file("env")}}]}`));
    const pid = live.pid("w");
    for (const part of ["A=", "2", "\n"]) {
      writeFileSync(file("env"), part, { flag: part === "A=" ? "w" : "a" });
      await sleep(300);
    }
    expect(live.pid("w")).toBe(pid);
    await until("it restarted", () => live.pid("w") !== pid, 8000);
    await until("it says so", () => live.log("w") === "A is 1\nA is 2\n");
  });
});
