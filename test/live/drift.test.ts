/** What is told of edits and of drift is what happened, once; what nobody declares goes, however deep. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { end, Live, sleep, until, whyNotLive } from "../support/live.ts";
import { group } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("what the controller tells", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const limits = (count: number, drift = "Repair"): string =>
    group("g", `{drift: ${drift}, limits: {pids.max: ${100 + count}, memory.max: ${300 + count}Mi, cpu.max: ${20 + count}%, cpu.weight: ${200 + count}}}`);

  test.each(["Repair", "Report"])("an edit of several limits is no drift (drift: %s)", async (drift) => {
    const { told } = await live.started(limits(0, drift), "--resync", "1s");
    for (let round = 1; round <= 10; round++) {
      live.write(limits(round, drift));
      await until("it is in force", () => live.read("pids", "g", "pids.max") === String(100 + round));
      await sleep(20);
    }
    await sleep(1500);
    expect(told("DriftRepaired", "DriftReported")).toEqual([]);
    expect(told("Configured")).toHaveLength(11);
  });

  test("several values that were changed at once are told once each, and nothing else", async () => {
    const { told } = await live.started(limits(0), "--resync", "1s");
    const [shares, memory] = [live.version("cpu") === 1 ? "cpu.shares" : "cpu.weight", live.version("memory") === 1 ? "memory.limit_in_bytes" : "memory.max"];
    live.behind("pids", "g", "pids.max", "50");
    live.behind("memory", "g", memory, String(10 * 2 ** 20));
    live.behind("cpu", "g", shares, "77");
    const repaired = await until("all are told", () => ((lines) => lines.length >= 3 && lines)(told("DriftRepaired")));
    await sleep(1500);
    expect(told("DriftRepaired")).toHaveLength(3);
    for (const words of [/pids\.max was 50, is 100 again/, /memory\.max was 10Mi, is 300Mi again/, /cpu\.weight was 77, is .* again/])
      expect(repaired.filter((line) => words.test(line))).toHaveLength(1);
  });

  test("a value that the kernel lets nobody write at once is one repair", async () => {
    const { told } = await live.started(group("g", "{limits: {cpu.max: 20%}}"), "--resync", "1s");
    if (live.version("cpu") === 1) live.behind("cpu", "g", "cpu.cfs_period_us", "1000000");
    else live.behind("cpu", "g", "cpu.max", "20000 1000000");
    await until("it is told", () => told("DriftRepaired").length > 0);
    await sleep(1500);
    expect(told("DriftRepaired")).toHaveLength(1);
  });

  test("cgroups inside of a cgroup that nobody declares go with it", async () => {
    await live.started(limits(0), "--resync", "1s");
    await sleep(1200);
    mkdirSync(live.cgroup("pids", "n/x/y"), { recursive: true });
    await until("they are gone", () => !existsSync(live.cgroup("pids", "n")), 5000);
  });

  test("a cgroup that nobody declares goes when what was in it has ended, which nothing tells", async () => {
    const { told } = await live.started(limits(0));
    const guest = spawn("sleep", ["60"]);
    try {
      // While it is empty it may be removed at any moment.
      await until("the guest is in", () => {
        mkdirSync(live.cgroup("pids", "n"), { recursive: true });
        writeFileSync(`${live.cgroup("pids", "n")}/cgroup.procs`, String(guest.pid), { flag: "r+" });
        return true;
      });
      await until("it is told", () => told("PruneHeld").length > 0);
    } finally {
      await end(guest, "SIGKILL");
    }
    await until("it is gone", () => !existsSync(live.cgroup("pids", "n")), 5000);
  });
});
