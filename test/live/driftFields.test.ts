/** What is known of drift: field by field, of every kind; and what is nobody's business. */
import { readdirSync, rmdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { FieldDrift } from "../../src/api/status.ts";
import { Live, sleep, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("drift, field by field", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const fields = (name: string): readonly FieldDrift[] => live.view(name).status.drift?.fields ?? [];
  const fieldOf = (name: string, field: string): FieldDrift | undefined => fields(name).find((one) => one.field === field);

  test("values: each with what it was and is, where that is declared, when it was seen first and last, how often and how soon", async () => {
    await live.started(group("batch", "{limits: {pids.max: 40, memory.max: 64Mi}}"));
    for (const text of ["9", "10"]) {
      live.behind("pids", "batch", "pids.max", text);
      await until("it is repaired", () => live.read("pids", "batch", "pids.max") === "40");
    }
    const field = await until("it is known", () => (fieldOf("batch", "pids.max")?.count === 2 ? fieldOf("batch", "pids.max") : undefined));
    expect(field).toMatchObject({
      kind: "Value",
      cgroup: "batch",
      desired: "40",
      observed: "10",
      source: expect.stringMatching(/a\.yaml:4$/),
      detection: { by: "Event" },
    });
    expect(field.detection?.seconds).toBeLessThan(5);
    expect(field.firstSeen < field.lastSeen && (field.lastApplied ?? "") < field.lastSeen).toBe(true);
    expect(live.view("batch").status.drift).toMatchObject({ count: 2, lastMessage: expect.stringContaining("pids.max was 10, is 40 again") });
    expect(fields("batch")).toHaveLength(1);
    expect(live.holdfast("describe", "lg", "batch").stdout).toMatch(/Value {7}pids\.max: 10, not 40; 2 times, first .* ago, last .* ago, noticed after \d+ms/);
  });

  test("what is only told is open until it is gone; a change of the manifest is none", async () => {
    await live.started(group("batch", "{drift: Report, limits: {pids.max: 40}}"));
    live.behind("pids", "batch", "pids.max", "9");
    await until("it is open", () => fieldOf("batch", "pids.max")?.open === true);
    const audit = JSON.parse(live.holdfast("audit", "-o", "json").stdout) as { drift: unknown[]; pending: unknown[] };
    expect(audit).toMatchObject({ drift: [{ field: "pids.max", cause: "drift", record: { count: 1, kind: "Value" } }], pending: [] });
    live.behind("pids", "batch", "pids.max", "40");
    await until("it is closed", () => fieldOf("batch", "pids.max")?.open === undefined);
    live.write(group("batch", "{drift: Report, limits: {pids.max: 50}}"));
    await until("the edit is in force", () => live.read("pids", "batch", "pids.max") === "50");
    await sleep(400);
    expect(live.view("batch").status.drift?.count).toBe(1);
  });

  test("structure and processes", async () => {
    await live.started(`${group("batch", "{limits: {pids.max: 40}}")}---\n${workload("w", "{command: [sleep, '1000'], backoff: {initial: 0s, max: 0s}}")}`);
    const directory = live.cgroup("pids", "batch");
    expect(readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())).toEqual([]);
    rmdirSync(directory);
    await until("the cgroup is there again", () => fields("batch").some(({ kind }) => kind === "Structure"));
    expect(fields("batch").find(({ kind }) => kind === "Structure")).toMatchObject({ observed: "missing", desired: "present", count: 1 });
    const pid = live.pid("w");
    process.kill(pid, "SIGKILL");
    await until("it runs again", () => live.pid("w") !== pid);
    await until("that it was dead is known", () => fields("w").length > 0);
    expect(fields("w")[0]).toMatchObject({ kind: "Process", field: "process of w@0", observed: "Error (SIGKILL)", desired: "running" });
  });

  test("ignored limits may be set by anybody, declared or not; a new value of a declared one is written", async () => {
    const manifest = (pids: number, ignored = ""): string =>
      group("batch", `{limits: {pids.max: ${pids}, cpu.max: 20%}, ignore: [pids.max, cpu.weight${ignored}]}`);
    const weight = live.version("cpu") === 1 ? "cpu.shares" : "cpu.weight";
    const { told } = await live.started(manifest(40));
    const other = live.version("cpu") === 1 ? "2048" : "300";
    live.behind("cpu", "batch", weight, other);
    live.behind("pids", "batch", "pids.max", "9");
    await sleep(500);
    expect([live.read("cpu", "batch", weight), live.read("pids", "batch", "pids.max"), live.holdfast("diff").code]).toEqual([other, "9", 0]);
    expect(told("DriftRepaired", "DriftReported")).toEqual([]);
    live.write(manifest(50));
    await until("the edit is in force", () => live.read("pids", "batch", "pids.max") === "50");
    expect(live.read("cpu", "batch", weight)).toBe(other);
    live.write(manifest(50, ", nosuch"));
    expect(live.holdfast("validate")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("/spec/ignore/2: expected the name of a limit, found nosuch"),
    });
  });
});
