import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { bandwidthFile, bytesFile, keyedFile, listFile, quotaFile, scalarFile, unionOfLists } from "../../src/cgroup/kernelFile.ts";
import { filesOfController, knobTable, writeText } from "../../src/cgroup/knobs.ts";

describe("bytes", () => {
  const v1 = bytesFile("memory.limit_in_bytes", { unlimited: "-1" });
  const v2 = bytesFile("memory.max");
  const huge = bytesFile("hugetlb.2MB.max", { page: 2 * 1024 * 1024 });
  test.each([
    ["9223372036854771712\n", "max"],
    ["9223372036852678656\n", "max"],
    ["max\n", "max"],
    ["209715200\n", "209715200"],
    ["0\n", "0"],
  ])("%p reads as %p", (text, value) => expect(v1.entries(text)).toEqual([["", value]]));
  test("unlimited is -1 on v1 and max on v2", () => {
    expect(v1.text("", "max")).toBe("-1");
    expect(v2.text("", "max")).toBe("max");
  });
  test.each([
    ["4095", "0"],
    ["1000001", "999424"],
    ["1024", "0"],
    ["max", "max"],
    ["9223372036854775807", "max"],
  ])("%p settles at %p with pages of 4096", (value, settled) => expect(v2.settle(value, 4096)).toBe(settled));
  test("huge pages round by their own size", () => expect([huge.settle("3145728", 4096), huge.settle("1048576", 4096)]).toEqual(["2097152", "0"]));
  test("settling twice changes nothing", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (bytes) => {
        const once = v2.settle(String(bytes), 4096);
        expect(v2.settle(once, 4096)).toBe(once);
      }),
    );
  });
});

describe("devices", () => {
  const ioMax = keyedFile("io.max", { initial: "rbps=max wbps=max riops=max wiops=max" });
  const weight = keyedFile("io.weight", { initial: "default", unset: { default: "100" } });
  test("one line a device", () => {
    expect(ioMax.entries("8:0 rbps=max wbps=30000000 riops=max wiops=max\n254:0 rbps=2 wbps=max riops=max wiops=max\n")).toEqual([
      ["8:0", "rbps=max wbps=30000000 riops=max wiops=max"],
      ["254:0", "rbps=2 wbps=max riops=max wiops=max"],
    ]);
    expect(ioMax.entries("")).toEqual([]);
    expect(ioMax.text("8:0", "rbps=max wbps=3 riops=max wiops=max")).toBe("8:0 rbps=max wbps=3 riops=max wiops=max");
  });
  test("a device's weight is unset by the word default", () => {
    expect(weight.entries("default 100\n254:0 300\n")).toEqual([
      ["default", "100"],
      ["254:0", "300"],
    ]);
    expect([weight.initial("default"), weight.text("254:0", weight.initial("254:0"))]).toEqual(["100", "254:0 default"]);
  });
});

test("what widens and what tightens", () => {
  expect(quotaFile("q").widens("20000", "max")).toBe(true);
  expect(quotaFile("q").entries("-1\n")).toEqual([["", "max"]]);
  expect(bandwidthFile("cpu.max").widens("20000 100000", "20000 50000")).toBe(true);
  expect(bandwidthFile("cpu.max").widens("max 100000", "20000 50000")).toBe(false);
  expect(scalarFile("pids.max").widens("64", "max")).toBe(true);
  const list = listFile("cpuset.cpus");
  expect([list.widens("0-1", "0-3"), list.widens("0-3", "0-1"), list.widens("0-1", "1-2"), list.widens("", "0")]).toEqual([true, false, false, true]);
  expect([list.text("", ""), unionOfLists("0-1", "3")]).toEqual(["\n", "0,1,3"]);
});

test("every file of the table reads back what it writes", () => {
  for (const version of [1, 2] as const) {
    for (const controller of ["cpu", "cpuset", "memory", "pids", "io", "blkio", "hugetlb"]) {
      for (const { file } of filesOfController(version, controller)) {
        const key =
          file.initial("0:0") === file.initial("") && !file.name.startsWith("io.") && !file.name.startsWith("blkio.")
            ? ""
            : file.name.endsWith("weight")
              ? "default"
              : "8:0";
        const value =
          file.name === "io.max"
            ? "rbps=2 wbps=max riops=max wiops=max"
            : file.name === "cpu.max"
              ? "20000 100000"
              : file.name.startsWith("cpuset")
                ? "0-1"
                : "1000";
        const text = writeText({ file, key, value });
        expect({ file: file.name, entries: file.entries(text) }).toEqual({ file: file.name, entries: [[key, value]] });
      }
    }
  }
  expect(knobTable().filter(({ v1, v2 }) => v1.length + v2.length === 0)).toEqual([]);
});
