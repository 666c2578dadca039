/** The controller in a process of its own: drift, edits, deaths, rivals. */

import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseMounts } from "../../src/cgroup/hierarchy.ts";
import { Live, sleep, takeAway, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("the controller", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const started = (...args: string[]): Promise<ReturnType<Live["controller"]>> => live.started(undefined, ...args);
  const running = (name: string): number => Number(live.procs("", name)[0]);

  test("repairs a limit that was changed, and tells object, field, both values and the manifest line", async () => {
    live.write(`# a comment\n${group("g", "\n  limits:\n    pids.max: 64\n    memory.max: 200Mi")}`);
    const { lines } = await started();
    for (const [controller, file, text] of [
      ["pids", "pids.max", "7"],
      ["memory", live.version("memory") === 1 ? "memory.limit_in_bytes" : "memory.max", "1048576"],
    ] as const) {
      const good = live.read(controller, "g", file);
      live.behind(controller, "g", file, text);
      await until(`${file} is repaired`, () => live.read(controller, "g", file) === good);
    }
    const repairs = await until("both are told", () => ((found) => found.length >= 2 && found)(lines().filter(({ reason }) => reason === "DriftRepaired")));
    expect(repairs[0]).toMatchObject({
      level: "warn",
      object: "LimitGroup/g",
      field: "pids.max",
      desired: "64",
      observed: "7",
      source: expect.stringMatching(/a\.yaml:7$/),
    });
    expect(repairs[1]).toMatchObject({ field: "memory.max", desired: "200Mi", observed: "1Mi", source: expect.stringMatching(/a\.yaml:8$/) });
    await until("the status tells it", () => live.view("g").status.drift?.count === 2);
    expect(live.view("g").status.conditions).toEqual([expect.objectContaining({ type: "Ready", status: "True", observedGeneration: 1 })]);
  });

  test("repairs every one of 200 changes", async () => {
    live.write(Array.from({ length: 10 }, (_, index) => group(`g${index}`, "{limits: {pids.max: 64}}")).join("---\n"));
    await started();
    for (let round = 0; round < 200; round++) {
      live.behind("pids", `g${round % 10}`, "pids.max", "7");
      if (round % 3 === 0) await sleep(1);
    }
    await until("all are repaired", () => Array.from({ length: 10 }, (_, index) => live.read("pids", `g${index}`, "pids.max")).every((text) => text === "64"));
  });

  test("makes a removed cgroup again, limits and all, and watches the new one", async () => {
    live.write(`${group("g", "{limits: {pids.max: 64}}")}---\n${group("inner", "{parentRef: {name: g}, limits: {pids.max: 32}}")}`);
    const { lines } = await started();
    for (let round = 0; round < 3; round++) {
      // The controller may be quicker between the two.
      await until("both are removed", () => ["g/inner", "g"].map((path) => removed(live.cgroup("pids", path))).every(Boolean));
      await until("both are there again", () => live.read("pids", "g", "pids.max") === "64" && live.read("pids", "g/inner", "pids.max") === "32");
      live.behind("pids", "g/inner", "pids.max", "5");
      await until("the new one is watched", () => live.read("pids", "g/inner", "pids.max") === "32");
    }
    expect(lines().filter(({ reason }) => reason === "Recreated").length).toBeGreaterThanOrEqual(6);
  });

  test("removes a cgroup that nobody declared, and leaves everything outside its root alone", async () => {
    live.write(group("g"));
    await started();
    mkdirSync(live.cgroup("", "stray"));
    await until("it is gone", () => !existsSync(live.cgroup("", "stray")));
    const outside = `${live.cgroup("")}-outside`;
    mkdirSync(outside);
    await sleep(300);
    expect(existsSync(outside)).toBe(true);
    rmdirSync(outside);
  });

  test("moves a process back that was moved out", async () => {
    live.write(workload("w", "{command: [sleep, '300']}"));
    const { lines } = await started("--resync", "500ms");
    const pid = await until("it runs", () => running("w@0"));
    for (const controller of ["pids", ""]) {
      const elsewhere = `${live.cgroup(controller)}-elsewhere`;
      mkdirSync(elsewhere, { recursive: true });
      try {
        writeFileSync(join(elsewhere, "cgroup.procs"), String(pid), { flag: "r+" });
        await until("it is back", () => live.procs(controller, "w@0").includes(pid));
      } finally {
        await until("the other cgroup is removed", () => removed(elsewhere));
      }
    }
    await until("it is told", () => lines().some(({ msg }) => String(msg).includes("moved it back")));
    expect(running("w@0")).toBe(pid);
  });

  test("with drift: Report tells and does not touch, and still follows the manifest", async () => {
    live.write(group("g", "{drift: Report, limits: {pids.max: 64}}"));
    const { lines } = await started("--resync", "300ms");
    live.behind("pids", "g", "pids.max", "7");
    await until("it is told", () => lines().some(({ reason, observed, desired }) => reason === "DriftReported" && observed === "7" && desired === "64"));
    await sleep(700);
    expect(live.read("pids", "g", "pids.max")).toBe("7");
    expect(lines().filter(({ reason }) => reason === "DriftReported")).toHaveLength(1);
    await until("the status says so", () => live.view("g").status.conditions.some(({ type, status }) => type === "Drifted" && status === "True"));
    live.write(group("g", "{drift: Report, limits: {pids.max: 32}}"));
    await until("the edit is followed", () => live.read("pids", "g", "pids.max") === "32");
  });

  test("restarts what dies, at once", async () => {
    live.write(workload("w", "{command: [sleep, '300'], backoff: {initial: 0s, max: 0s}}"));
    await started();
    for (let round = 0; round < 5; round++) {
      // As the status shows it: a launching shell that is killed is a failed start, not an end to count.
      const pid = await until("it runs", () => {
        const now = live.pid("w");
        return now && readFileSync(`/proc/${now}/comm`, "utf8") === "sleep\n" && now;
      });
      process.kill(pid, "SIGKILL");
      await until("another runs", () => live.pid("w") !== pid);
    }
    await until("all are counted", () => live.view("w").status.restartCount === 5);
  });

  describe("follows the manifests", () => {
    const limit = (value: number): string => group("g", `{limits: {pids.max: ${value}}}`);
    const reads = (value: number): Promise<boolean> => until(`pids.max is ${value}`, () => live.read("pids", "g", "pids.max") === String(value));

    test("through every way to write a file", async () => {
      live.write(limit(1));
      await started();
      const file = join(live.manifests, "a.yaml");
      live.write(limit(2));
      await reads(2);
      writeFileSync(file, limit(3));
      await reads(3);
      rmSync(file);
      writeFileSync(file, limit(4));
      await reads(4);
      mkdirSync(join(live.manifests, "new/deep"), { recursive: true });
      renameSync(file, join(live.manifests, "new/deep/b.yml"));
      writeFileSync(join(live.manifests, "new/deep/b.yml"), limit(5));
      await reads(5);
      // A directory that goes and comes again at once, with one below it; a link to one elsewhere.
      rmSync(join(live.manifests, "new"), { recursive: true });
      mkdirSync(join(live.manifests, "new/deep"), { recursive: true });
      writeFileSync(join(live.manifests, "new/deep/b.yml"), limit(6));
      await reads(6);
      await sleep(600);
      writeFileSync(join(live.manifests, "new/deep/b.yml"), limit(7));
      await reads(7);
      mkdirSync(join(live.directory, "elsewhere"));
      symlinkSync(join(live.directory, "elsewhere"), join(live.manifests, "linked"));
      await sleep(600);
      writeFileSync(join(live.directory, "elsewhere/h.yaml"), group("h", "{limits: {pids.max: 3}}"));
      await until("h is limited", () => live.read("pids", "h", "pids.max") === "3");
      writeFileSync(join(live.directory, "elsewhere/h.yaml"), group("h", "{limits: {pids.max: 4}}"));
      await until("h is changed", () => live.read("pids", "h", "pids.max") === "4");
      writeFileSync(join(live.manifests, "new/deep/b.yml"), limit(5));
      await reads(5);
      for (const leftover of ["b.yml~", ".b.yml.swp", "#b.yml#", "b.yml.bak", "4913", "notes.txt"])
        writeFileSync(join(live.manifests, "new/deep", leftover), limit(99));
      await sleep(200);
      await reads(5);
    });

    test("through checkouts, copies and slow writers, that take a file away for a moment: no workload feels it", async () => {
      const sleeper = (name: string): string => workload(name, "{command: [sleep, '300']}");
      // As git does it: what goes or changes is unlinked, what comes is created and written, one file after the other.
      const checkout = async (files: Readonly<Record<string, string>>): Promise<void> => {
        for (const name of readdirSync(live.manifests)) if (!(name in files)) rmSync(join(live.manifests, name));
        for (const [name, text] of Object.entries(files)) {
          const file = join(live.manifests, name);
          rmSync(file, { force: true });
          await sleep(20);
          writeFileSync(file, text);
        }
      };
      const names = ["a", "b", "c", "d"];
      const branch = (prefix: string, value: number): Record<string, string> => ({
        ...Object.fromEntries(names.map((name) => [`${prefix}${name}.yaml`, sleeper(name)])),
        "g.yaml": limit(value),
      });
      await checkout(branch("", 31));
      await started();
      const pids = (): (number | undefined)[] => names.map((name) => running(`${name}@0`));
      const before = await until("all run", () => (pids().every(Boolean) ? pids() : undefined));
      await reads(31);
      await checkout(branch("moved-", 32));
      await reads(32);
      await checkout(branch("", 31));
      await reads(31);
      const file = join(live.manifests, "a.yaml");
      const text = readFileSync(file, "utf8");
      rmSync(file);
      await sleep(300);
      writeFileSync(file, text);
      const slow = openSync(join(live.manifests, "b.yaml"), "w");
      await sleep(200);
      writeSync(slow, sleeper("b").slice(0, 40));
      await sleep(200);
      writeSync(slow, sleeper("b").slice(40));
      closeSync(slow);
      // All in one file that is written slowly, with a change at its top.
      const one = [limit(33), ...names.map(sleeper)];
      const file2 = join(live.manifests, "z.yaml");
      for (const name of names) rmSync(join(live.manifests, `${name}.yaml`));
      rmSync(join(live.manifests, "g.yaml"));
      writeFileSync(file2, one.join("---\n"));
      await reads(33);
      const tail = openSync(file2, "w");
      for (const document of [limit(34), ...names.map(sleeper)]) {
        writeSync(tail, `---\n${document}`);
        await sleep(150);
      }
      closeSync(tail);
      await reads(34);
      rmSync(file2);
      await sleep(400);
      await checkout(branch("", 31));
      await sleep(1500);
      expect(pids()).toEqual(before);
      for (const pid of before) expect(existsSync(`/proc/${pid}`)).toBe(true);
      // What is really gone goes; most of all at once is held.
      rmSync(join(live.manifests, "d.yaml"));
      await until("d is stopped", () => !existsSync(`/proc/${before[3]}`));
      for (const name of ["a", "b", "c"]) rmSync(join(live.manifests, `${name}.yaml`));
      await sleep(1500);
      expect(names.slice(0, 3).map((name) => running(`${name}@0`))).toEqual(before.slice(0, 3));
    });

    test("through a switch of ..data, as Kubernetes mounts a ConfigMap", async () => {
      const version = (name: string, value: number): void => {
        mkdirSync(join(live.manifests, name));
        writeFileSync(join(live.manifests, name, "a.yaml"), limit(value));
        symlinkSync(name, join(live.manifests, "..tmp"));
        renameSync(join(live.manifests, "..tmp"), join(live.manifests, "..data"));
      };
      version("..v1", 11);
      symlinkSync("..data/a.yaml", join(live.manifests, "a.yaml"));
      await started();
      await reads(11);
      version("..v2", 12);
      await reads(12);
      version("..v3", 13);
      await reads(13);
    });

    test("while the directory goes and comes back: what was in force stays meanwhile", async () => {
      live.write(`${limit(21)}---\n${workload("w", "{command: [sleep, '300']}")}`);
      const { lines } = await started();
      const pid = await until("it runs", () => running("w@0"));
      renameSync(live.manifests, `${live.manifests}.away`);
      await until("it is told", () => lines().some(({ msg }) => String(msg).includes("does not exist")));
      live.behind("pids", "g", "pids.max", "7");
      await reads(21);
      mkdirSync(live.manifests);
      await until("the empty directory is told", () => lines().some(({ reason }) => reason === "PruneHeld"));
      expect(running("w@0")).toBe(pid);
      live.write(limit(22));
      await reads(22);
      await until("what is really gone is stopped", () => !existsSync(`/proc/${pid}`));
    });
  });

  test("refuses to start beside another on the same root, and names it", async () => {
    live.write(group("g"));
    const { child } = await started();
    const second = live.holdfast("run");
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`already converged by process ${child.pid}`);
    expect(live.holdfast("apply").stderr).toContain(`already converged by process ${child.pid}`);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    expect(live.holdfast("apply").code).toBe(0);
  });

  test("refuses to start beside one of another pid namespace, which it cannot look at, and says how to go on", async () => {
    live.write(group("g"));
    await live.apply();
    const lock = join(live.cgroup(""), ".controller-7-1-1");
    mkdirSync(lock);
    const refused = live.holdfast("run");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`process 7 (in another pid namespace): if that is gone for certain, rmdir ${lock}`);
    rmdirSync(lock);
    expect(live.holdfast("apply").code).toBe(0);
  });

  test("--ephemeral refuses a root in which others have something, and takes up what its own kind left", async () => {
    live.write(group("g"));
    await live.apply();
    const refused = live.holdfast("run", "--ephemeral");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/has 1 cgroup already \(g\); use another --root/);
    expect(existsSync(live.cgroup("", "g"))).toBe(true);
    live.write(undefined);
    await live.apply();
    live.write(group("h"));
    const { child } = await started("--ephemeral");
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    expect(existsSync(live.cgroup("", "h"))).toBe(true);
    const again = await started("--ephemeral");
    again.child.kill("SIGINT");
    await new Promise((resolve) => again.child.once("exit", resolve));
    expect(existsSync(live.cgroup(""))).toBe(false);
  });

  test.each(["json", "text"])("goes on without its log (%s) when the disk behind that is full", async (format) => {
    live.write(group("g", "{limits: {pids.max: 64}}"));
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, ["bin/holdfast.js", "run", "--log-format", format, ...live.options], { stdio: ["ignore", full, "ignore"] });
    closeSync(full);
    try {
      await until("it is limited", () => live.read("pids", "g", "pids.max") === "64");
      for (let round = 0; round < 5; round++) {
        live.behind("pids", "g", "pids.max", "7");
        await until("it is repaired", () => live.read("pids", "g", "pids.max") === "64");
        await sleep(50);
      }
      expect(child.exitCode).toBeNull();
    } finally {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));
    }
  });

  test("writes its run directory again when somebody took it away", async () => {
    live.write(workload("w", "{command: [sh, -c, 'exit 3'], restartPolicy: Never}"));
    await started("--resync", "300ms");
    const state = (): string => JSON.stringify(live.view("w").status.replicaStatuses?.[0]?.state);
    await until("it has ended", () => state().includes('"exitCode":3'));
    takeAway(live.runDirectory);
    await until("all is back", () => ["controller.json", "status.json", "replicas/w@0.json"].every((name) => existsSync(join(live.runDirectory, name))));
    expect(state()).toContain('"exitCode":3');
  });

  test("follows an environment file, which raises no event", async () => {
    const file = join(live.directory, "env");
    writeFileSync(file, "COLOUR=red\n");
    live.write(workload("w", `{command: [sh, -c, 'echo $COLOUR; exec sleep 300'], envFrom: [{file: ${file}}], terminationGracePeriodSeconds: 1}`));
    await started("--resync", "200ms");
    await until("it is red", () => live.log("w").includes("red"));
    await sleep(700);
    writeFileSync(file, "COLOUR=blue\n");
    await until("it is blue", () => live.log("w").includes("blue"));
  });

  test("watches a cgroup that somebody made again, and what is below it", async () => {
    live.write(`${group("g", "{limits: {pids.max: 5}}")}---\n${group("h", "{parentRef: {name: g}, limits: {pids.max: 4}}")}`);
    await started();
    const directories = ["g/h", "g"].map((path) => live.cgroup("pids", path));
    for (const directory of directories) rmdirSync(directory);
    for (const directory of directories.reverse()) {
      // The controller may have been faster.
      mkdirSync(directory, { recursive: true });
    }
    const repaired = (): Promise<unknown> =>
      until("both are limited again", () => live.read("pids", "g", "pids.max") === "5" && live.read("pids", "g/h", "pids.max") === "4");
    await repaired();
    for (let round = 0; round < 20; round++) {
      live.behind("pids", "g/h", "pids.max", "9");
      live.behind("pids", "g", "pids.max", "9");
      await repaired();
    }
  });

  test("ends in order at SIGTERM and spares the workloads; the next one adopts them", async () => {
    live.write(workload("w", "{command: [sleep, '300']}"));
    const { child } = await started();
    const pid = await until("it runs", () => running("w@0"));
    child.kill("SIGTERM");
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    const { lines } = await started();
    expect(lines().some(({ reason }) => reason === "Started")).toBe(false);
    expect(running("w@0")).toBe(pid);
  });

  test("with --ephemeral takes everything down at the end, and leaves no trace", async () => {
    live.write(
      `${group("g")}---\n${workload("w", "{command: [sh, -c, 'trap \"\" TERM; sleep 300 & wait; sleep 300'], limitGroupRef: {name: g}, terminationGracePeriodSeconds: 1}")}`,
    );
    const { child, output } = await started("--ephemeral");
    const pid = await until("it runs", () => running("g/w@0"));
    child.kill("SIGINT");
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
    expect(output()).toContain("Everything is down.");
    expect(output()).not.toContain("Refused");
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    for (const { mount } of parseMounts(readFileSync("/proc/self/mountinfo", "utf8"))) expect(existsSync(join(mount, live.root))).toBe(false);
    expect(existsSync(live.runDirectory)).toBe(false);
  });
});

/** Removes a cgroup if it can be removed now; true when it is not there any more. */
function removed(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
