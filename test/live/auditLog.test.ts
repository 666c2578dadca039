/** The audit log of a controller and of apply: what was done to the machine, and what the kernel refused. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { auditFile } from "../../src/host/auditLog.ts";
import { end, Live, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("the audit log", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const file = (): string => auditFile(live.logDirectory, live.root);
  const entries = (): Record<string, unknown>[] =>
    readFileSync(file(), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const verify = (...args: string[]) => live.holdfast("audit", "verify-log", ...args);

  test("has every write, start, end, move and removal, and no secret; verify-log finds an edit and a cut", async () => {
    const text = `${group("batch", "{limits: {pids.max: 40}}")}---\n${workload("web", "{limitGroupRef: {name: batch}, command: [sh, -c, 'sleep 1000 # password'], env: [{name: TOKEN, value: hunter2}], terminationGracePeriodSeconds: 1}")}`;
    const first = await live.started(text);
    live.behind("pids", "batch", "pids.max", "41");
    await until("it is repaired", () => live.read("pids", "batch", "pids.max") === "40");
    process.kill(live.pid("web"), "SIGKILL");
    await until("it is started again", () => first.told("Started").some((line) => line.includes("restart")));
    await end(first.child, "SIGKILL");
    // Another one goes on with the chain.
    live.write(group("batch", "{limits: {pids.max: 40}}"));
    const second = await live.started(undefined);
    await until("the workload is gone", () => second.told("Pruned").length > 0);
    await end(second.child, "SIGTERM");

    const done = entries();
    expect(done.map(({ seq }) => seq)).toEqual(done.map((_, index) => index + 1));
    const of = (action: string) => done.filter((entry) => entry["action"] === action);
    const source = expect.stringMatching(/a\.yaml:\d+$/);
    expect(of("write")).toContainEqual(
      expect.objectContaining({ object: "LimitGroup/batch", cgroup: "batch", file: "pids.max", from: "41", to: "40", cause: "drift", result: "done", source }),
    );
    expect(of("start").map(({ reason, program }) => [reason, program])).toEqual([
      ["first start", "sh"],
      ["restart", "sh"],
    ]);
    expect(of("record")).toContainEqual(expect.objectContaining({ replica: "web@0", signal: "SIGKILL", exitCode: null }));
    expect(of("signal")).toContainEqual(expect.objectContaining({ replica: "web@0", signal: "SIGTERM", reason: "not declared any more" }));
    expect(of("remove").map(({ cgroup }) => cgroup)).toContain("batch/web@0");
    expect(new Set(done.map(({ controller }) => controller))).toEqual(new Set([first.child.pid, second.child.pid]));
    expect(readFileSync(file(), "utf8")).not.toMatch(/hunter2|password/);

    expect(verify()).toMatchObject({ code: 0, stderr: expect.stringContaining(`whole, lines 1 to ${done.length}`) });
    const whole = readFileSync(file(), "utf8");
    writeFileSync(file(), whole.replace('"from":"41"', '"from":"39"'));
    expect(verify()).toMatchObject({ code: 1, stdout: expect.stringMatching(/jsonl:\d+: line \d+ was changed/) });
    writeFileSync(file(), whole.split("\n").slice(0, -3).join("\n"));
    expect(verify().stdout).toContain("the end is missing or was written anew");
    writeFileSync(file(), whole);
    const { hash } = done[3] as { hash: string };
    expect(verify("--head", hash)).toMatchObject({ code: 0 });
    expect(verify("--head", "0".repeat(64))).toMatchObject({ code: 1 });
    expect(verify("--head", "abc")).toMatchObject({ code: 2 });
  });

  test("has what was refused, and apply's work too", async () => {
    live.write(group("batch", "{limits: {cpuset.cpus: 4000-4001}}"));
    expect(live.holdfast("apply").code).toBe(1);
    const refused = entries().filter(({ result }) => result === "refused");
    expect(refused).toContainEqual(
      expect.objectContaining({ action: "write", object: "LimitGroup/batch", file: "cpuset.cpus", to: "4000-4001", error: expect.any(String) }),
    );
    expect(verify()).toMatchObject({ code: 0 });
  });

  test("holds nothing up when it cannot be written, and that is told", async () => {
    writeFileSync(live.logDirectory, "no directory");
    const { output } = await live.started(group("batch", "{limits: {pids.max: 40}}"));
    expect(live.read("pids", "batch", "pids.max")).toBe("40");
    expect(output()).toContain("the audit log cannot be written: ");
    // It would remove what is below its own root and not declared.
    await live.stop();
    // Below /proc, mkdir -p of Node's never returns.
    const places = ["-f", live.manifests, "--root", `${live.root}/below`, "--run-dir", live.runDirectory, "--log-dir", "/proc/nope"];
    const { status, stderr } = spawnSync(process.execPath, ["bin/holdfast.js", "apply", ...places], { encoding: "utf8", timeout: 10_000 });
    expect({ status, told: stderr.includes("the audit log cannot be written: ") }).toEqual({ status: 0, told: true });
    expect(verify().code).toBe(2);
  });
});
