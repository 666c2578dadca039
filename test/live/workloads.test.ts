/** Workloads on the real kernel: started in their limits, ended as a whole, known how they ended, never harmed by the controller. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("workloads", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());
  const state = (name: string, ordinal = 0) => live.view(name).status.replicaStatuses?.[ordinal]?.state ?? {};
  const settle = async (name: string, done: (found: ReturnType<typeof state>) => unknown): Promise<ReturnType<typeof state>> => {
    return live.settle(`${name} is there`, () => {
      const found = state(name);
      return done(found) ? found : undefined;
    });
  };

  test("start in every hierarchy of their limits before their first instruction", async () => {
    const limits = "{pids.max: 10, memory.max: 64Mi, cpu.max: 50%}";
    await live.apply(
      `${group("outer", "{limits: {io.max: []}}")}---\n${workload("w", `{command: [sh, -c, "cat /proc/self/cgroup; sleep 60"], limitGroupRef: {name: outer}, limits: ${limits}}`)}`,
    );
    await until("it wrote", () => live.log("w").includes("0::"));
    const where = live
      .log("w")
      .split("\n")
      .filter((line) => line.includes(live.root));
    expect(where.length).toBeGreaterThanOrEqual(1);
    for (const line of where) expect(line).toMatch(new RegExp(`/${live.root}/outer/w@0$`));
    for (const controller of ["cpu", "memory", "pids"]) expect(live.procs(controller, "outer/w@0")).toContain(live.pid("w"));
  });

  test("get their environment, arguments and directory, and nothing of ours", async () => {
    process.env["HOLDFAST_LEAK"] = "leaked";
    const file = join(live.directory, "env");
    writeFileSync(file, "# comment\nFROM_FILE='a b'\nBOTH=file\n");
    const env = '[{name: BOTH, value: manifest}, {name: QUOTED, value: "it\'s $HOME \\"x\\""}, {name: s, value: "1"}, {name: _holdfast_0, value: "2"}]';
    await live.apply(
      workload(
        "w",
        `{command: [sh, -c, 'env; pwd; printf "%s|" "$@"', sh], args: ["a b", "", "$(x)", "*"], env: ${env}, envFrom: [{file: ${file}}], workingDir: /usr, replicas: 1, restartPolicy: Never}`,
      ),
    );
    await settle("w", ({ terminated }) => terminated);
    const log = live.log("w");
    for (const line of ["FROM_FILE=a b", "BOTH=manifest", 'QUOTED=it\'s $HOME "x"', "HOLDFAST_ORDINAL=0", "/usr", "a b||$(x)|*|"]) expect(log).toContain(line);
    expect(log).not.toContain("HOLDFAST_LEAK");
    expect(
      log
        .split("\n")
        .filter((line) => /^[A-Z_]+=/.test(line))
        .map((line) => line.split("=")[0])
        .sort(),
    ).toEqual(["BOTH", "FROM_FILE", "HOLDFAST_ORDINAL", "PATH", "PWD", "QUOTED"]);
    for (const line of ["s=1", "_holdfast_0=2"]) expect(log.split("\n")).toContain(line);
    expect(log).not.toContain("_holdfast_1");
    const before = live.engine.desired.replicas.get("w@0")?.revision;
    writeFileSync(file, "FROM_FILE=changed\n");
    await live.apply();
    // Somebody may be in the middle of writing it.
    expect(live.engine.desired.replicas.get("w@0")?.revision).toBe(before);
    const past = new Date(Date.now() - 5000);
    utimesSync(file, past, past);
    await live.apply();
    expect(live.engine.desired.replicas.get("w@0")?.revision).not.toBe(before);
  });

  test("get variables too that the launching shell would keep to itself", async () => {
    await live.apply(
      workload("w", "{command: [env], env: [{name: OPTIND, value: x}, {name: UID, value: '7'}, {name: A, value: b}], user: nobody, restartPolicy: Never}"),
    );
    await settle("w", ({ terminated }) => terminated);
    for (const line of ["OPTIND=x", "UID=7", "A=b", "USER=nobody"]) expect(live.log("w").split("\n")).toContain(line);
    // It was env(1) that gave it those, and that it is itself.
    expect(state("w").terminated).toMatchObject({ reason: "Completed" });
    await live.apply(workload("w", "{command: [sh, -c, exec env nosuch=1 false], env: [{name: UID, value: '7'}], restartPolicy: Never}"));
    await settle("w", ({ terminated }) => terminated?.exitCode === 1);
    expect(state("w").terminated).toMatchObject({ reason: "Error" });
  });

  test("keep their environment to themselves: no command line shows it", async () => {
    await live.apply(workload("w", "{command: [sleep, '300'], env: [{name: PASSWORD, value: hunter2}]}"));
    const pid = live.pid("w");
    const holder = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    for (const each of [pid, holder]) expect(readFileSync(`/proc/${each}/cmdline`, "utf8")).not.toContain("hunter2");
    expect(readFileSync(`/proc/${pid}/environ`, "utf8")).toContain("PASSWORD=hunter2");
  });

  test.each([
    ["exit 0", "[sh, -c, exit 0]", { reason: "Completed", exitCode: 0 }],
    ["exit 3", "[sh, -c, exit 3]", { reason: "Error", exitCode: 3 }],
    ["exit 137 is not SIGKILL", "[sh, -c, exit 137]", { reason: "Error", exitCode: 137, signal: null }],
    ["SIGKILL", '[sh, -c, "kill -9 $$$$"]', { reason: "Error", signal: "SIGKILL", exitCode: null }],
    ["SIGSEGV", '[sh, -c, "kill -SEGV $$$$"]', { reason: "Error", signal: "SIGSEGV" }],
    ["a command that does not exist", "[/no/such/program]", { reason: "StartError", message: expect.stringContaining("not found") }],
    ["a command that is no program", "[/etc/passwd]", { reason: "StartError", message: expect.stringContaining("cannot be executed") }],
    ["a directory that does not exist", "[sleep, '1'], workingDir: /no/such", { reason: "StartError", message: expect.stringContaining("workingDir") }],
  ])("%s is known exactly", async (_, command, expected) => {
    await live.apply(workload("w", `{command: ${command}, restartPolicy: Never}`));
    expect((await settle("w", ({ terminated }) => terminated)).terminated).toMatchObject(expected);
  });

  test("are restarted at once, then with back-off; a run that was asked to end is no crash", async () => {
    await live.apply(workload("w", "{command: [sh, -c, exit 1], backoff: {initial: 60s}}"));
    const waiting = await settle("w", (found) => found.waiting?.reason === "CrashLoopBackOff");
    expect(waiting.waiting?.message).toMatch(/restarts in (60|59)s/);
    expect(live.view("w").status.restartCount).toBe(1);
    await live.apply(workload("w", "{command: [sleep, '60'], backoff: {initial: 60s}}"));
    expect(state("w").running).toBeDefined();
  });

  test("are not restarted for a change of limits, and are for a change of the command", async () => {
    await live.apply(workload("w", "{command: [sleep, '60'], limits: {pids.max: 5}}"));
    const pid = live.pid("w");
    await live.apply(
      workload(
        "w",
        "{command: [sleep, '60'], limits: {pids.max: 7, memory.max: 32Mi, cpu.max: 30%}, terminationGracePeriodSeconds: 3, restartPolicy: OnFailure}",
      ),
    );
    expect([live.pid("w"), live.read("pids", "w@0", "pids.max"), live.view("w").status.restartCount]).toEqual([pid, "7", 0]);
    await live.apply(workload("w", "{command: [sleep, '61']}"));
    await settle("w", ({ running }) => running && running.pid !== pid);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(live.procs("", "w@0")).toEqual([live.pid("w")]);
  });

  test("scale by their difference, each with its number", async () => {
    const spec = (replicas: number): string =>
      workload("w", `{command: [sh, -c, "echo number $HOLDFAST_ORDINAL; exec sleep 60"], replicas: ${replicas}, terminationGracePeriodSeconds: 1}`);
    await live.apply(spec(3));
    const pids = [0, 1, 2].map((ordinal) => live.pid("w", ordinal));
    expect(new Set(pids).size).toBe(3);
    await until("all wrote", () => [0, 1, 2].every((ordinal) => live.log("w", ordinal).includes(`number ${ordinal}`)));
    await live.apply(spec(1));
    await live.settle("two are gone", () => {
      return pids.slice(1).every((pid) => !existsSync(`/proc/${pid}`));
    });
    expect(live.pid("w")).toBe(pids[0]);
  });

  test("stop in order: the stop signal first, the whole tree when the grace period is over", async () => {
    const stubborn = "trap 'echo asked' TERM; sleep 300 & sleep 300 & while :; do sleep 0.1; done";
    await live.apply(workload("w", `{command: [sh, -c, "${stubborn}"], terminationGracePeriodSeconds: 1}`));
    await until("its children run", () => live.procs("", "w@0").length >= 3);
    const pids = live.procs("", "w@0");
    live.write(undefined);
    const asked = performance.now();
    await live.apply();
    expect(live.procs("", "w@0").length).toBeGreaterThan(0);
    await live.settle("everything is gone", () => {
      return pids.every((pid) => !existsSync(`/proc/${pid}`)) && !existsSync(live.cgroup("", "w@0"));
    });
    expect(performance.now() - asked).toBeGreaterThan(900);
    expect(live.log("w")).toContain("asked");
  });

  test("leave no children behind when their main process ends", async () => {
    await live.apply(workload("w", "{command: [sh, -c, 'setsid sleep 300 & exit 0'], restartPolicy: Never}"));
    await settle("w", ({ terminated }) => terminated);
    await until("the child is gone", () => live.procs("", "w@0").length === 0);
  });

  const python = spawnSync("python3", ["-c", "import ctypes"]).status === 0;
  (python ? test : test.skip)("whose first thread has ended live on in their other threads", async () => {
    const script = "import threading,ctypes,time; threading.Thread(target=lambda: time.sleep(300)).start(); ctypes.CDLL(None).pthread_exit(0)";
    await live.apply(workload("w", `{command: [python3, -c, "${script}"], terminationGracePeriodSeconds: 1}`));
    const pid = live.pid("w");
    const leader = await until("the first thread has ended", () =>
      ((text) => (text.includes(") Z ") ? text : undefined))(readFileSync(`/proc/${pid}/stat`, "utf8")),
    );
    expect(leader).toContain(`${pid} (python3) Z`);
    for (let look = 0; look < 3; look++) await live.apply();
    expect(live.pid("w")).toBe(pid);
    expect(live.procs("", "w@0")).toEqual([pid]);
    live.write(undefined);
    await live.settle("it is stopped", () => !existsSync(live.cgroup("", "w@0")));
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  test("that take long to end are not taken for moved", async () => {
    // Giving its memory back keeps it on its way out for a while, and then it is in no cgroup any more.
    await live.apply(workload("w", "{command: [dd, if=/dev/zero, of=/dev/null, bs=300M], restartPolicy: Never, limits: {memory.max: 1Gi, pids.max: 64}}"));
    const pid = live.pid("w");
    await until("it has its memory", () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) > 300_000, 30_000);
    process.kill(pid, "SIGKILL");
    const seen = new Set<string>();
    // Without a pause, as an event may come at any moment.
    for (const deadline = Date.now() + 30_000; !seen.has("record") && Date.now() < deadline; ) for (const { type } of live.plan().actions) seen.add(type);
    expect([...seen].sort()).toEqual(["record", "release"]);
  });

  test("whose holder was killed are asked to end, and get their time", async () => {
    await live.apply(workload("w", "{command: [sh, -c, \"trap 'echo asked; sleep 0.3; echo done; exit' TERM; echo up; while :; do sleep 0.05; done\"]}"));
    await until("it is up", () => live.log("w").includes("up"));
    const pid = live.pid("w");
    const holder = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    expect(readFileSync(`/proc/${holder}/cmdline`, "utf8")).toContain("holdfast-holder");
    process.kill(holder, "SIGKILL");
    await until("the holder is gone", () => !existsSync(`/proc/${holder}`));
    await live.apply();
    expect(live.procs("", "w@0")).toContain(pid);
    live.write(undefined);
    await live.settle("it has gone", () => !existsSync(live.cgroup("", "w@0")));
    expect(live.log("w")).toContain("done");
  });

  test("keep the cgroups that they make below their own, and leave nothing in them at the end", async () => {
    const own = live.cgroup("", "w@0");
    const script = `mkdir ${own}/mine ${own}/empty; sleep 300 & echo $! >${own}/mine/cgroup.procs; echo up; exec sleep 300`;
    await live.apply(workload("w", `{command: [sh, -c, "${script}"], terminationGracePeriodSeconds: 1}`));
    await until("it is up", () => live.log("w").includes("up"));
    const [child] = live.procs("", "w@0/mine");
    const plan = await live.apply();
    expect(plan).toMatchObject({ actions: [], problems: [] });
    expect(live.procs("", "w@0/mine")).toEqual([child]);
    expect(existsSync(`${own}/empty`)).toBe(true);
    // Its main process ends: the child in the cgroup below goes with it.
    process.kill(live.pid("w"), "SIGKILL");
    await live.settle("the child is gone", () => !existsSync(`/proc/${child}`));
    await live.settle("it runs again", () => live.pid("w"));
    live.write(undefined);
    await live.settle("all is gone", () => !existsSync(own));
  });

  test("may make threaded cgroups below their own (cgroup v2), whose processes only the one above can list", async () => {
    const top = live.cgroup("", "w@0");
    if (!existsSync(join(live.cgroup("", ""), "..", "cgroup.controllers"))) return; // v1 alone
    const script = `mkdir ${top}/inner && echo threaded >${top}/inner/cgroup.type && echo $$$$ >${top}/inner/cgroup.threads && echo moved; sleep 1000 & wait`;
    await live.apply(workload("w", `{command: [sh, -c, ${JSON.stringify(script)}], terminationGracePeriodSeconds: 1}`));
    await until("it has moved", () => live.log("w").includes("moved"));
    // Controllers look at it, and go on; what is in there is stopped with the rest.
    expect(live.plan().problems).toEqual([]);
    const pid = live.pid("w");
    await live.apply(group("other"));
    await live.settle("it is gone", () => !existsSync(top));
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  test("a start that is refused is tried again with back-off, not in a row", async () => {
    await live.apply(workload("w", "{command: [sleep, '60'], logs: {directory: /proc/nowhere}}"));
    for (let look = 0; look < 5; look++) await live.apply();
    expect(live.events.filter(({ reason }) => reason === "StartFailed")).toHaveLength(1);
    expect(state("w")).toMatchObject({ waiting: { reason: "StartFailed", message: expect.stringMatching(/tried again in/) } });
    await live.apply(workload("w", "{command: [sleep, '60']}"));
    expect(live.pid("w")).toBeGreaterThan(0);
  });

  test("a pruned group is not removed under a process that Holdfast did not start", async () => {
    await live.apply(`${group("g")}---\n${group("h")}`);
    const { spawn } = await import("node:child_process");
    const stranger = spawn("sleep", ["60"]);
    try {
      writeFileSync(join(live.cgroup("", "g"), "cgroup.procs"), String(stranger.pid), { flag: "r+" });
      live.write(group("h"));
      const plan = await live.apply();
      expect(plan.problems).toEqual([expect.objectContaining({ reason: "PruneHeld", message: expect.stringContaining(String(stranger.pid)) })]);
      expect(live.procs("", "g")).toEqual([stranger.pid]);
    } finally {
      stranger.kill("SIGKILL");
      await new Promise((resolve) => stranger.once("exit", resolve));
    }
    await live.apply();
    expect(existsSync(live.cgroup("", "g"))).toBe(false);
  });

  test("a broken manifest stops nothing", async () => {
    await live.apply(`${group("g")}---\n${workload("w", "{command: [sleep, '60'], limitGroupRef: {name: g}}")}`);
    const pid = live.pid("w");
    for (const broken of ["a: [", group("g"), `${group("g")}---\n${workload("w", "{command: sleep}")}`, "\0"]) {
      live.write(broken === group("g") ? `${broken}---\nb: [` : broken);
      await live.apply();
      expect(existsSync(`/proc/${pid}`)).toBe(true);
    }
    live.write(group("g"));
    await live.settle("it is stopped when it is really gone", () => {
      return !existsSync(`/proc/${pid}`);
    });
  });

  test("logs are put aside when they are too large, at the next start", async () => {
    const spec = (text: string): string =>
      workload("w", `{command: [sh, -c, "head -c 3000 /dev/zero | tr '\\\\0' ${text}"], restartPolicy: Never, logs: {maxSize: 2k, maxFiles: 2}}`);
    for (const letter of ["a", "b", "c"]) {
      await live.apply(spec(letter));
      await settle("w", ({ terminated }) => terminated);
      await until("it is written", () => live.log("w").endsWith(letter.repeat(10)));
    }
    const file = join(live.logDirectory, "w/w.0.log");
    expect([live.log("w")[0], readFileSync(`${file}.1`, "utf8")[0], existsSync(`${file}.2`)]).toEqual(["c", "b", false]);
  });
});
