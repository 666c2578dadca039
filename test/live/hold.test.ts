/** `hold`: for a time, manual values on one object are left alone; then they are drift as any other. */
import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, PATIENCE, sleep, until, whyNotLive } from "../support/live.ts";
import { group } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("hold", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const limits = (): string[] => ["batch", "other"].map((name) => live.read("pids", name, "pids.max"));
  const manifest = (batch: number, memory = "64Mi"): string =>
    `${group("batch", `{limits: {pids.max: ${batch}, memory.max: ${memory}}}`)}---\n${group("other", "{limits: {pids.max: 50}}")}`;
  const by = (text: string): void => {
    for (const name of ["batch", "other"]) live.behind("pids", name, "pids.max", text);
  };

  test("leaves manual values of that object alone for its time, edits in force meanwhile, and reverts them then: one event each", async () => {
    const { told } = await live.started(manifest(40));
    expect(live.holdfast("hold", "batch", "--for", "3s", "--reason", "load test")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("LimitGroup/batch: values that are written by hand are left as they are for 3s"),
    });
    await until("that is told", () => told("Held").length > 0);
    by("9");
    await until("the other one is repaired", () => limits()[1] === "50");
    await sleep(300);
    expect(limits()).toEqual(["9", "50"]);
    const { status } = live.view("batch");
    expect(status.conditions.find(({ type }) => type === "Held")).toMatchObject({
      status: "True",
      message: expect.stringMatching(/load test \(.*; now: pids\.max 9 → 40/),
    });
    expect(status.conditions.find(({ type }) => type === "Ready")?.status).toBe("True");
    // What the manifest says anew is no drift.
    live.write(manifest(40, "32Mi"));
    await until(
      "the edit is in force",
      () =>
        live.view("batch").status.conditions.every(({ type, status: value }) => type !== "Reconciling" || value !== "True") &&
        told("Configured").some((line) => line.includes("32Mi")),
    );
    expect(limits()[0]).toBe("9");
    await until("it is reverted", () => limits()[0] === "40");
    await until("the end is told", () => told("HoldEnded").length > 0);
    expect(told("Held", "HoldEnded").map((line) => line.split(":")[0])).toEqual(["Held", "HoldEnded"]);
    expect(told("DriftReported", "Drifted")).toEqual([]);
    expect(live.view("batch").status.conditions.map(({ type }) => type)).not.toContain("Held");
    by("9");
    await until("all is repaired at once", () => limits().join() === "40,50");
  });

  test("can be ended, outlives a controller, and counts for apply; what is no hold is said to be none", async () => {
    live.write(manifest(40));
    expect(live.holdfast("apply").code).toBe(0);
    expect(live.holdfast("hold", "lg/batch", "--for", "10m", "--reason", "x")).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("no controller is at work"),
    });
    by("9");
    live.holdfast("apply");
    expect(limits()).toEqual(["9", "50"]);
    expect(live.holdfast("diff").stdout).toContain("Drift that is left alone (drift: Report, or held):");
    const { told } = await live.started(undefined);
    await sleep(300);
    expect(limits()[0]).toBe("9");
    expect(live.holdfast("hold", "batch", "--end").code).toBe(0);
    await until("it is reverted", () => limits()[0] === "40");
    await until("that is told", () => told("HoldEnded").length > 0);
    const refused = (...words: string[]): string => {
      const { code, stderr } = live.holdfast("hold", ...words);
      expect(code).toBe(1);
      return stderr;
    };
    expect(refused("bach", "--for", "1m", "--reason", "x")).toContain("bach not found (did you mean batch?)");
    expect(refused("batch", "--reason", "x")).toContain("--for: expected a duration of 1s to 168h");
    expect(refused("batch", "--for", "9999h", "--reason", "x")).toContain("--for: expected a duration of 1s to 168h");
    expect(refused("batch", "--for", "1m")).toContain("--reason: expected why");
  });
});

(whyNotLive === undefined ? describe : describe.skip)("a fight about a value", () => {
  test(
    "is told, with longer waits between repairs; the condition says so, and the last repair stands when the other one gives up",
    async () => {
      const live = new Live();
      try {
        const { told } = await live.started(group("batch", "{limits: {pids.max: 40}}"));
        const began = Date.now();
        while (told("Contended").length === 0 && Date.now() - began < 60_000 * PATIENCE) {
          live.behind("pids", "batch", "pids.max", "9");
          await sleep(200);
        }
        // Who writes is seen where perl and fanotify are: this very process.
        if (live.version("pids") === 1 && spawnSync("perl", ["-e", "1"]).status === 0) expect(told("Contended")[0]).toContain(`process ${process.pid} (`);
        expect(told("Contended")[0]).toMatch(
          /(something|process \d+ \(.*\)) keeps writing 9 to pids\.max of batch \(repaired to 40 \d+ times in \d+s\): the next repair is in 2s/,
        );
        live.behind("pids", "batch", "pids.max", "9");
        await sleep(500);
        expect(live.read("pids", "batch", "pids.max")).toBe("9");
        await until("the status is written", () => live.view("batch").status.conditions.some(({ type, status }) => type === "Contended" && status === "True"));
        await until("it is repaired", () => live.read("pids", "batch", "pids.max") === "40");
        await until("the next wait is longer", () => told("Contended").some((line) => line.includes("the next repair is in 6s")));
        const repairs = told("DriftRepaired").length;
        await sleep(1000);
        expect(live.read("pids", "batch", "pids.max")).toBe("40");
        expect(told("DriftRepaired")).toHaveLength(repairs);
      } finally {
        await live.close();
      }
    },
    90_000 * PATIENCE,
  );
});
