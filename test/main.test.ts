/** The program as a person runs it, where no root and no cgroups are needed; and where they are, on a root of the test's own. */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, cpSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, until, whyNotLive } from "./support/live.ts";
import { group, workload } from "./support/manifests.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-cli-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const env = { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "" };
const holdfast = (...args: string[]): { code: number | null; stdout: string; stderr: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["bin/holdfast.js", ...args], { encoding: "utf8", timeout: 30_000, env });
  return { code: status, stdout, stderr };
};
const write = (text: string, name = "a.yaml"): string => {
  writeFileSync(join(top, name), text);
  return top;
};

describe("validate", () => {
  test("sound manifests: nothing on stdout, a note on stderr, 0", () =>
    expect(holdfast("validate", "-f", "manifests/demo")).toEqual({ code: 0, stdout: "", stderr: "manifests/demo: 11 objects are sound\n" }));
  test("problems on stdout with file:line:column, 1", () => {
    const { code, stdout, stderr } = holdfast("validate", "-f", write(group("a", "{limts: {}}")));
    expect(code).toBe(1);
    expect(stdout).toBe(`${top}/a.yaml:4:8: UnknownField: LimitGroup/a: /spec/limts: expected no such field (did you mean limits?)\n`);
    expect(stderr).toBe(`${top}: 1 problem, 0 objects are sound\n`);
  });
  test("as JSON", () => {
    const { code, stdout } = holdfast("validate", "-o", "json", "-f", write(`${group("a")}---\n${group("b", "{drift: x}")}`));
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      objects: ["LimitGroup/a"],
      problems: [{ reason: "InvalidValue", line: 9, pointer: "/spec/drift" }],
    });
  });
  test("two groups that name one cgroup", () => {
    const text = `${group("a", "{cgroupPath: x/y, limits: {}}")}---\n${group("b", "{cgroupPath: /x/y, limits: {}}")}`;
    const { code, stdout } = holdfast("validate", "-f", write(text));
    expect(code).toBe(1);
    expect(stdout).toMatch(/:4:20: Conflict: LimitGroup\/a: \/spec\/cgroupPath: x\/y is governed by LimitGroup\/b \(.*:9\) as well/);
    expect(stdout).toMatch(/:9:20: Conflict: LimitGroup\/b/);
  });

  test("a directory that does not exist", () => {
    const { code, stdout } = holdfast("validate", "-f", join(top, "no"));
    expect([code, stdout]).toEqual([1, expect.stringContaining("the manifest directory does not exist")]);
  });
});

describe("what V8 remembers of the program", () => {
  // A copy, so that a damaged one harms nobody else.
  const copied = (): string => {
    for (const part of ["bin", "dist", "package.json"]) cpSync(part, join(top, part), { recursive: true });
    symlinkSync(resolve("node_modules"), join(top, "node_modules"));
    return join(top, "dist/main.cjs.code");
  };
  const version = (): unknown => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(top, "bin/holdfast.js"), "version"], { encoding: "utf8", env });
    return { status, version: /^\d+\.\d+\.\d+/.test(stdout), stderr };
  };
  const refused = (): unknown => {
    const text = `const { load } = await import(${JSON.stringify(join(top, "bin/program.js"))}); console.log(load(true).script.cachedDataRejected);`;
    return JSON.parse(spawnSync(process.execPath, ["--input-type=module", "-e", text], { encoding: "utf8", env }).stdout);
  };

  test("is taken by the same Node", () => {
    copied();
    expect(refused()).toBe(false);
  });
  test("is done without where it is damaged, made by another Node, or gone", () => {
    const code = copied();
    const sound = { status: 0, version: true, stderr: "" };
    writeFileSync(code, "something else");
    expect(refused()).toBe(true);
    expect(version()).toEqual(sound);
    rmSync(code);
    expect(version()).toEqual(sound);
  });
});

describe("mistakes at the keyboard", () => {
  test.each([
    [["validte"], 1, /Did you mean validate\?/],
    [["validate", "--fliename", "x"], 1, /Did you mean --filename\?/],
    [["diff", "--nope"], 2, /unknown option/],
    [["diff", "--root", "../x"], 2, /--root: expected the path of a cgroup/],
    [["apply", "--root", "/"], 1, /--root: expected the path of a cgroup/],
    [["run", "--resync", "10"], 1, /--resync: expected a duration/],
    [["get", "widgets", "-f", "manifests"], 1, /unknown kind widgets: expected limitgroups \(lg\) or workloads \(wl\)/],
    [["explain", "limitgroup.spec.limts"], 1, /LimitGroup\.spec has no field limts \(did you mean limits\?\)/],
    [["logs", "bussy", "--filename", "manifests"], 1, /Workload bussy not found \(did you mean busy\?\)/],
    [["logs", "busy", "--filename", "manifests", "--tail", "x"], 1, /--tail: expected a number of lines/],
    [["describe"], 1, /missing required argument 'kind'/],
  ])("%p", (args, code, message) => {
    const result = holdfast(...args);
    expect(result.stderr).toMatch(message);
    expect(result.stdout).toBe("");
    expect(result.code).toBe(code);
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });
});

describe("explain, help, version, completion", () => {
  test("a limit: meaning, kernel files, examples", () => {
    const { code, stdout } = holdfast("explain", "workload.spec.limits.memory.max");
    expect(code).toBe(0);
    for (const line of [
      "KIND:     Workload",
      "FIELD:    spec.limits.memory.max <string | integer>",
      "  cgroup v1  memory.limit_in_bytes",
      "  cgroup v2  memory.max",
      '  memory.max: "200Mi"',
    ])
      expect(stdout).toContain(line);
  });
  test("a list of objects", () => expect(holdfast("explain", "workload.spec.env.value").stdout).toContain("FIELD:    spec.env.value <string>"));
  test("every verb has examples", () => {
    for (const verb of ["validate", "diff", "apply", "run", "audit", "get", "describe", "explain", "logs"])
      expect({ verb, ...holdfast(verb, "--help") }).toMatchObject({ verb, code: 0, stdout: expect.stringContaining(`$ holdfast ${verb}`), stderr: "" });
  });
  test("the version", () => expect(holdfast("version")).toEqual({ code: 0, stdout: `${holdfast("--version").stdout}`, stderr: "" }));
  test("completion for shells, and of verbs", () => {
    expect(holdfast("completion", "bash").stdout).toContain("holdfast");
    expect(holdfast("complete", "--", "va").stdout).toContain("validate");
  });
});

test.each([
  [["version"], 1],
  [["validate", "-o", "json"], 1],
  [["explain", "limitgroup"], 1],
] as const)("a full disk behind the output is told: %j", (words, expected) => {
  const full = openSync("/dev/full", "w");
  try {
    const { status, stderr } = spawnSync(process.execPath, ["bin/holdfast.js", ...words], { encoding: "utf8", stdio: ["ignore", full, "pipe"], env });
    expect({ status, told: /ENOSPC/.test(stderr) }).toEqual({ status: expected, told: true });
  } finally {
    closeSync(full);
  }
});

test("a reader that goes away is no error", async () => {
  const child = spawn("sh", ["-c", `${process.execPath} bin/holdfast.js explain workload.spec; echo "code $?" >&2`], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await new Promise((resolve) => child.once("close", resolve));
  expect(stderr).toMatch(/^code 0$/m);
  expect(stderr).not.toMatch(/EPIPE|at /);
});

test("a simulated host says so first, and does the same line on files in a temporary directory", async () => {
  write(group("g", "{limits: {pids.max: 64}}"));
  const child = spawn(process.execPath, ["bin/holdfast.js", "run", "--simulate", "--ephemeral", "--log-format", "text", "-f", top], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await until("it is in force", () => output.includes("1 object in force"), 20_000);
  expect(output.split("\n")[0]).toMatch(/^Simulated host \(asked for with --simulate\): nothing real is limited or started/);
  expect(output).toMatch(/LimitGroup\/g\s+Configured\s+pids\.max 64/);
  const directory = / stand in (\S+)/.exec(output)?.[1] ?? "";
  writeFileSync(join(directory, "holdfast/g/pids.max"), "7\n");
  await until("it is repaired", () => output.includes("pids.max was 7, is 64 again"));
  child.kill("SIGINT");
  expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
  expect(output).toContain("Everything is down.");
});

(whyNotLive === undefined ? describe : describe.skip)("on the machine", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  test("diff, apply, audit, get and describe tell one story", () => {
    live.write(`${group("g", "{limits: {pids.max: 64}}")}---\n${workload("w", "{command: [sleep, '60'], limitGroupRef: {name: g}}")}`);
    const before = live.holdfast("diff");
    expect(before.code).toBe(1);
    expect(before.stdout).toMatch(/LimitGroup\/g\n( {2}\+ create .*\n)+ {2}~ pids\.max max → 64 .*a\.yaml:4/);
    expect(live.holdfast("audit")).toMatchObject({ code: 0, stderr: expect.stringContaining("no drift in 2 objects") });
    expect(live.holdfast("apply")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/LimitGroup\/g\s+Configured\s+pids\.max 64/),
      stderr: expect.stringContaining("all converged"),
    });
    expect(live.holdfast("apply")).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("nothing to do: 2 objects converged") });
    expect(live.holdfast("diff")).toMatchObject({ code: 0, stdout: "", stderr: "no differences\n" });
    expect(live.holdfast("get").stdout).toMatch(
      /LIMITGROUP {3}READY {3}LIMITS +USAGE +DRIFT {3}AGE\ng {12}True {4}pids\.max 64 {3}.*pids? {3}0 {7}\d+s\n\nWORKLOAD {3}READY {3}STATUS {4}RESTARTS {3}RUNNING {3}AGE\nw {10}1\/1 {5}Running {3}0 {10}\d+s +\d+s\n/,
    );
    expect(JSON.parse(live.holdfast("get", "wl", "w", "-o", "json").stdout)).toMatchObject({
      kind: "Workload",
      metadata: { name: "w", generation: 1 },
      status: { observedGeneration: 1, readyReplicas: 1, conditions: [{ type: "Ready", status: "True", reason: "Running" }] },
    });
    expect(live.holdfast("describe", "lg/g").stdout).toMatch(/Created\s+made the cgroup in/);
    writeFileSync(join(live.cgroup("pids", "g"), "pids.max"), "7", { flag: "r+" });
    expect(live.holdfast("audit")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/~ pids\.max 7 → 64 {2}drift {2}.*a\.yaml:4/),
      stderr: expect.stringContaining("1 drifted value in 2 objects"),
    });
    expect(JSON.parse(live.holdfast("audit", "-o", "json").stdout)).toMatchObject({
      clean: false,
      drift: [{ object: "LimitGroup/g", field: "pids.max", from: "7", to: "64", cause: "drift" }],
      pending: [],
    });
    live.write(`${group("g", "{limits: {pids.max: 32}}")}---\n${workload("w", "{command: [sleep, '60'], limitGroupRef: {name: g}}")}`);
    expect(JSON.parse(live.holdfast("audit", "-o", "json").stdout)).toMatchObject({ clean: true, pending: [{ field: "pids.max", cause: "pending" }] });
  });

  test("what the caller has open is not passed on to workloads", async () => {
    const mine = openSync("/dev/null", "r");
    try {
      live.write(workload("w", "{command: [sh, -c, 'ls -l /proc/self/fd; echo end'], restartPolicy: Never}"));
      const stdio = [...Array.from({ length: 20 }, () => "ignore" as const), mine];
      const { status } = spawnSync(process.execPath, ["bin/holdfast.js", "apply", ...live.options], { stdio, env });
      expect(status).toBe(0);
      await until("it wrote", () => live.log("w").includes("end"));
      const open = [...live.log("w").matchAll(/ (\d+) -> (\S+)/g)].map(([, descriptor]) => Number(descriptor));
      expect(Math.max(...open)).toBeLessThanOrEqual(3);
    } finally {
      closeSync(mine);
    }
  });

  test("an empty directory takes nothing down, unless that is meant", () => {
    live.write(`${group("g")}---\n${workload("w", "{command: [sleep, '60']}")}`);
    expect(live.holdfast("apply").code).toBe(0);
    const before = live.procs("", "w@0");
    live.write(undefined);
    expect(live.holdfast("apply")).toMatchObject({ code: 1, stdout: expect.stringMatching(/PruneHeld .*--prune=force/) });
    expect(live.procs("", "w@0")).toEqual(before);
    expect(live.holdfast("apply", "--prune=force").code).toBe(0);
    expect(() => live.procs("", "w@0")).toThrow("ENOENT");
  });

  test("broken manifests are an error of diff and audit, whatever else they tell", () => {
    live.write("a: [");
    expect(live.holdfast("diff").code).toBe(2);
    expect(live.holdfast("audit").code).toBe(2);
  });

  test("a refused write is told with file, value, errno and a hint, and the rest goes on", () => {
    live.write(`${group("a", "{limits: {cpuset.cpus: '4000', pids.max: 5}}")}---\n${group("b", "{limits: {pids.max: 6}}")}`);
    const { code, stdout, stderr } = live.holdfast("apply");
    expect(code).toBe(1);
    expect(stdout).toMatch(/LimitGroup\/a\s+Refused\s+cpuset\.cpus .*writing "4000" to \/.*\/a\/cpuset\.cpus: (EINVAL|ERANGE|EACCES) \(.+\)/);
    expect(stderr).toContain("1 refused");
    expect([live.read("pids", "a", "pids.max"), live.read("pids", "b", "pids.max")]).toEqual(["5", "6"]);
    expect(live.holdfast("get", "lg", "a", "-o", "wide").stdout).toMatch(/False/);
  });

  test("a full disk under the run directory is told, and what runs goes on", () => {
    live.write(group("g", "{limits: {pids.max: 64}}"));
    const descriptor = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(
      process.execPath,
      ["bin/holdfast.js", "apply", "-f", live.manifests, "--root", live.root, "--run-dir", live.runDirectory, "--log-dir", live.logDirectory],
      { encoding: "utf8", env, stdio: ["ignore", descriptor, "pipe"] },
    );
    closeSync(descriptor);
    expect(status).toBe(1);
    expect(stderr).not.toMatch(/Unhandled|node:events/);
    expect(live.read("pids", "g", "pids.max")).toBe("64");
  });
});
