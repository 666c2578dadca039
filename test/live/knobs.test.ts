/** Every limit that this kernel has: written, read back from the kernel, no difference left, and cleared again. */

import { cpus } from "node:os";
import { afterAll, describe, expect, test } from "@jest/globals";
import { LIMIT_NAMES, type LimitName } from "../../src/api/limits.ts";
import { controllerOf, knobTable, spellingOf } from "../../src/cgroup/knobs.ts";
import { Live, whyNotLive } from "../support/live.ts";
import { group } from "../support/manifests.ts";
import { linesOf } from "../support/simulated.ts";

/** A value that is not the default, what cgroup v1's files and cgroup v2's file must read, and what else must be declared. */
const CASES: Readonly<Record<LimitName, { value: string; v1: Record<string, string>; v2: string; beside?: string }>> = {
  "cpu.max": { value: "20%", v1: { "cpu.cfs_quota_us": "20000", "cpu.cfs_period_us": "100000" }, v2: "20000 100000" },
  "cpu.max.burst": { value: "5ms", v1: { "cpu.cfs_burst_us": "5000" }, v2: "5000", beside: "cpu.max: 50%" },
  "cpu.weight": { value: "50", v1: { "cpu.shares": "512" }, v2: "50" },
  "cpu.idle": { value: "true", v1: { "cpu.idle": "1" }, v2: "1" },
  "cpuset.cpus": { value: '"0"', v1: { "cpuset.cpus": "0" }, v2: "0" },
  "cpuset.mems": { value: '"0"', v1: { "cpuset.mems": "0" }, v2: "0" },
  "memory.max": { value: "1000001", v1: { "memory.limit_in_bytes": "999424" }, v2: "999424" },
  "memory.high": { value: "180Mi", v1: {}, v2: "188743680" },
  "memory.low": { value: "64Mi", v1: { "memory.soft_limit_in_bytes": "67108864" }, v2: "67108864" },
  "memory.min": { value: "32Mi", v1: {}, v2: "33554432" },
  "memory.swap.max": { value: "0", v1: { "memory.memsw.limit_in_bytes": "209715200" }, v2: "0", beside: "memory.max: 200Mi" },
  "memory.oom.group": { value: "true", v1: {}, v2: "1" },
  "memory.swappiness": { value: "10", v1: { "memory.swappiness": "10" }, v2: "" },
  "pids.max": { value: "64", v1: { "pids.max": "64" }, v2: "64" },
  "io.max": {
    value: '[{device: "path:/var/tmp", wbps: 30M, riops: 1000}]',
    v1: { "blkio.throttle.write_bps_device": "DEVICE 30000000", "blkio.throttle.read_iops_device": "DEVICE 1000" },
    v2: "DEVICE rbps=max wbps=30000000 riops=1000 wiops=max",
  },
  "io.weight": { value: "50", v1: { "blkio.bfq.weight": "50" }, v2: "default 50" },
  "hugetlb.64KB.max": { value: "64Mi", v1: { "hugetlb.64KB.limit_in_bytes": "67108864" }, v2: "67108864" },
  "hugetlb.2MB.max": { value: "3Mi", v1: { "hugetlb.2MB.limit_in_bytes": "2097152" }, v2: "2097152" },
  "hugetlb.32MB.max": { value: "64Mi", v1: { "hugetlb.32MB.limit_in_bytes": "67108864" }, v2: "67108864" },
  "hugetlb.512MB.max": { value: "512Mi", v1: { "hugetlb.512MB.limit_in_bytes": "536870912" }, v2: "536870912" },
  "hugetlb.1GB.max": { value: "1Gi", v1: { "hugetlb.1GB.limit_in_bytes": "1073741824" }, v2: "1073741824" },
  "hugetlb.16GB.max": { value: "16Gi", v1: { "hugetlb.16GB.limit_in_bytes": "17179869184" }, v2: "17179869184" },
};

(whyNotLive === undefined ? describe : describe.skip)("each limit on this kernel", () => {
  const live = new Live();
  afterAll(() => live.close());
  const disk = process.env["HOLDFAST_TEST_DISK"];

  test.each(LIMIT_NAMES.map((name) => [name]))("%s", async (name) => {
    live.events.length = 0;
    const { v1, v2, beside, value } = CASES[name];
    const written = name === "io.max" && disk ? value.replace("path:/var/tmp", disk) : value;
    const version = live.version(controllerOf(name, 1)) ?? live.version(controllerOf(name, 2));
    const plan = await live.apply(group("knob", `{limits: {${beside ? `${beside}, ` : ""}${name}: ${written}}}`));
    const unsupported = plan.problems.filter(({ reason }) => reason === "KnobUnsupported");
    if (version === undefined || !spellingOf(name, version) || unsupported.length > 0) {
      // A limit that cannot be had here is always said, with the file or the controller that is missing.
      expect(unsupported).toEqual([expect.objectContaining({ object: "LimitGroup/knob", pointer: `/spec/limits/${name}`, line: expect.any(Number) })]);
      const files = version === undefined ? [] : (knobTable().find((knob) => knob.name === name)?.[version === 1 ? "v1" : "v2"] ?? []);
      for (const file of files) expect(() => live.read(controllerOf(name, version ?? 2), "knob", file)).toThrow("ENOENT");
      return;
    }
    expect(linesOf(plan.actions)).toEqual([]);
    expect(live.events.filter(({ type }) => type === "Warning")).toEqual([]);
    const device = [...live.engine.machine.devices.values()].map((fact) => ("number" in fact ? fact.number : JSON.stringify(fact)))[0] ?? "";
    const expected = Object.entries(version === 1 ? v1 : { [name]: v2 });
    for (const [file, text] of expected)
      expect(`${file}: ${live.read(controllerOf(name, version), "knob", file)}`).toContain(`${file}: ${text.replace("DEVICE", device)}`);
    expect(linesOf(live.plan().actions)).toEqual([]);

    // What is not declared any more is at its default again, and stays so without a difference.
    await live.apply(group("knob"));
    for (const [file, text] of expected) {
      const same = name === "cpuset.mems" || (name === "cpuset.cpus" && cpus().length === 1) || file === "cpu.cfs_period_us";
      if (!same) expect(live.read(controllerOf(name, version), "knob", file).split("\n")).not.toContain(text.replace("DEVICE", device));
    }
    expect(linesOf(live.plan().actions)).toEqual([]);
  });

  test("freezing and thawing", async () => {
    await live.apply(group("knob", "{frozen: true}"));
    const state = (): string =>
      live.version("freezer") === 1 && live.cgroup("").includes("freezer")
        ? live.read("", "knob", "freezer.self_freezing")
        : live.read("", "knob", "cgroup.freeze");
    expect(state()).toBe("1");
    expect(linesOf(live.plan().actions)).toEqual([]);
    await live.apply(group("knob"));
    expect(state()).toBe("0");
  });

  test("leaving idle gives the weight back that was declared", async () => {
    await live.apply(group("knob", "{limits: {cpu.idle: true}}"));
    await live.apply(group("knob", "{limits: {cpu.weight: 50}}"));
    const [file, value] = live.version("cpu") === 1 ? ["cpu.shares", "512"] : ["cpu.weight", "50"];
    expect(live.read("cpu", "knob", file as string)).toBe(value);
  });

  test("the last manifest taken away takes the cgroups away", async () => {
    live.write(undefined);
    const plan = await live.apply();
    expect(linesOf(plan.actions)).toEqual([]);
    expect(() => live.read("cpu", "knob", "cgroup.procs")).toThrow("ENOENT");
    expect(() => live.read("", "knob", "cgroup.procs")).toThrow("ENOENT");
  });
});
