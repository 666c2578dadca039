/** memory.max below what is in use: nobody is killed; what can be reclaimed is, and what cannot is told. */
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, sleep, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("a smaller memory.max", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const file = (): string => (live.version("memory") === 1 ? "memory.limit_in_bytes" : "memory.max");
  const usage = (): number => Number(live.read("memory", "w@0", live.version("memory") === 1 ? "memory.usage_in_bytes" : "memory.current"));
  const ready = () => live.view("w").status.conditions.find(({ type }) => type === "Ready");
  /** A program that holds so much memory of its own, and says when it has it; bounded by the limit that it starts under. */
  const holder = (limit: string): string =>
    workload(
      "w",
      `{limits: {memory.max: ${limit}, memory.swap.max: 0}, command: [${process.execPath}, -e, "const held = Buffer.alloc(120 << 20, 1); console.log('held'); setInterval(() => held.length, 1e6)"]}`,
    );
  /** One that has read a file, which the kernel can let go of. */
  const reader = (limit: string): string =>
    workload(
      "w",
      `{limits: {memory.max: ${limit}, memory.swap.max: 0}, command: [sh, -c, "dd if=/dev/zero of=${live.directory}/big bs=1M count=60 conv=fsync 2>&1; cat ${live.directory}/big >/dev/null; echo read; sleep 1000"]}`,
    );

  test("what can be reclaimed is: the limit comes, memory.high goes back, and the process lives on", async () => {
    await live.started(reader("200Mi"));
    await until("it has read", () => live.log("w").includes("read"), 30_000);
    const pid = live.pid("w");
    // /tmp may be memory itself, which nothing lets go of.
    if (usage() < 40 << 20) return;
    live.write(reader("30Mi"));
    await until("the limit is in force", () => live.read("memory", "w@0", file()) === String(30 << 20) || ready()?.reason === "Blocked", 60_000);
    if (live.version("memory") === 2) await until("memory.high is back", () => live.read("memory", "w@0", "memory.high") === "max", 60_000);
    expect(live.pid("w")).toBe(pid);
  });

  test("what cannot is told as Blocked, killed is nobody; and a limit that fits again is written", async () => {
    const { told } = await live.started(holder("250Mi"));
    await until("it holds its memory", () => live.log("w").includes("held"), 30_000);
    const pid = live.pid("w");
    live.write(holder("100Mi"));
    await until("that is told", () => ready()?.reason === "Blocked", 30_000);
    await sleep(1500);
    expect(live.read("memory", "w@0", file())).toBe(String(250 << 20));
    expect(live.pid("w")).toBe(pid);
    if (live.version("memory") === 2) expect(live.read("memory", "w@0", "memory.high")).toBe(String(100 << 20));
    live.write(holder("220Mi"));
    await until("what fits is written", () => live.read("memory", "w@0", file()) === String(220 << 20));
    if (live.version("memory") === 2) await until("memory.high is back", () => live.read("memory", "w@0", "memory.high") === "max");
    expect(live.pid("w")).toBe(pid);
    expect(told("OOMKilled", "DriftRepaired")).toEqual([]);
  });

  test("while processes of a group are being killed for memory it gets no smaller, and larger at once", async () => {
    const calm = `${live.directory}/calm`;
    // Asks for more than its group has, again and again, until it is told to be calm.
    const script = `const fs = require('fs'); const held = []; setInterval(() => { if (!fs.existsSync('${calm}')) for (let i = 0; i < 15; i++) held.push(Buffer.alloc(10 << 20, 1)); }, 100)`;
    const both = (limit: string): string =>
      `${group("g", `{limits: {memory.max: ${limit}, memory.swap.max: 0}}`)}---\n${workload("w", `{limitGroupRef: {name: g}, backoff: {initial: 100ms, max: 100ms}, command: [${process.execPath}, -e, "${script}"]}`)}`;
    const max = (): string => live.read("memory", "g", file()) ?? "";
    const { told } = await live.started(both("100Mi"), "--resync", "500ms");
    await until("it is killed again and again", () => told("OOMKilled").length >= 2, 20_000);
    await sleep(1500);
    live.write(both("90Mi"));
    await until("that is told", () => told("PressureHeld").length > 0, 30_000);
    expect(told("PressureHeld")[0]).toContain("memory is scarce");
    expect(max()).toBe(String(100 << 20));
    live.write(both("110Mi"));
    await until("more is written at once", () => max() === String(110 << 20));
    live.write(both("90Mi"));
    writeFileSync(calm, "");
    await until("the smaller one is written when nobody is killed any more", () => max() === String(90 << 20), 40_000);
  });

  test("a smaller limit under which a process is killed is taken back, within its first minute", async () => {
    const trigger = `${live.directory}/grow`;
    // Grows once, when it is told to: far beyond the smaller limit, and not beyond the larger.
    const script = `const fs = require('fs'); const held = []; console.log('up'); setInterval(() => { if (!fs.existsSync('${trigger}')) return; fs.unlinkSync('${trigger}'); for (let i = 0; i < 14; i++) held.push(Buffer.alloc(10 << 20, 1)); }, 50)`;
    const grower = (limit: string): string =>
      workload("w", `{limits: {memory.max: ${limit}, memory.swap.max: 0}, backoff: {initial: 0s, max: 0s}, command: [${process.execPath}, -e, "${script}"]}`);
    const { told } = await live.started(grower("300Mi"));
    await until("it runs", () => live.log("w").includes("up"), 30_000);
    live.write(grower("100Mi"));
    await until("the smaller limit is in force", () => live.read("memory", "w@0", file()) === String(100 << 20), 40_000);
    writeFileSync(trigger, "");
    await until("it was killed", () => told("OOMKilled").length > 0, 8_000);
    await until("the larger limit is back", () => live.read("memory", "w@0", file()) === String(300 << 20), 8_000);
    await until("that is told", () => told("Reverted").length > 0);
    expect(told("Reverted")[0]).toContain("processes were killed within 60s after memory.max went from 300Mi to 100Mi: 300Mi is back");
    await until("that is its status", () => ready()?.reason === "Reverted");
    live.write(grower("200Mi"));
    await until("the manifest says something else", () => live.read("memory", "w@0", file()) === String(200 << 20), 30_000);
  });
});
