/** What a value comes to under those above it. */
import { expect, test } from "@jest/globals";
import { isBounded, tightest } from "../../src/cgroup/effective.ts";
import { bandwidthFile, bytesFile, type KernelFile, listFile, scalarFile } from "../../src/cgroup/kernelFile.ts";

test.each<[string, KernelFile, readonly (string | undefined)[], number]>([
  ["the least", scalarFile("pids.max"), ["max", "40", "20"], 2],
  ["the least, above", bytesFile("memory.max"), ["max", "4096", "8192"], 1],
  ["the innermost of equals", scalarFile("pids.max"), ["40", "40"], 1],
  ["max, where nothing bounds", scalarFile("pids.max"), [undefined, "max", "max"], 2],
  ["the smallest share", bandwidthFile("cpu.max"), ["max 100000", "20000 100000", "30000 200000"], 2],
  ["the shortest list", listFile("cpuset.cpus"), ["0-3", "0-1", ""], 1],
  ["nothing", scalarFile("pids.max"), [undefined], -1],
])("%s", (_, file, values, found) => expect(tightest(file, values)).toBe(found));

test("limits are bounded by those above, weights are not", () => {
  expect(["memory.max", "pids.max", "cpu.cfs_quota_us", "hugetlb.2MB.max", "cpuset.cpus"].every((name) => isBounded(scalarFile(name)))).toBe(true);
  expect(["cpu.weight", "cpu.shares", "cpu.cfs_period_us", "memory.low", "cgroup.freeze"].some((name) => isBounded(scalarFile(name)))).toBe(false);
});
