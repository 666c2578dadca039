import { expect, test } from "@jest/globals";
import { aligned, arranged, cellsOf, HEADER, rowOf } from "../../src/cli/topRows.ts";
import { group, manifestsOf } from "../support/manifests.ts";

const { resources } = manifestsOf({
  "a.yaml": [
    group("outer", "{limits: {cpu.max: 50%, memory.max: 100Mi, pids.max: 10}}"),
    group("inner", "{parentRef: {name: outer}}"),
    group("other", "{}"),
  ].join("---\n"),
});
const rowsFor = (cpu: Record<string, number>) =>
  [...resources.values()].map((resource) =>
    rowOf(resource, {
      usage: { memory: 50 << 20, pids: 5, cpuPressure: 12.4 },
      rates: { cpuUsec: (cpu[resource.name] ?? 0) * 1_000_000, throttledUsec: 250_000 },
    }),
  );

test("of what a group uses and may use comes its share", () => {
  const [outer] = rowsFor({ outer: 0.25 });
  expect(outer).toMatchObject({ cpu: 0.25, cpuMax: 0.5, throttled: 0.25, memoryMax: 100 << 20, pidsMax: 10 });
  expect(outer && cellsOf(outer, 1)).toEqual(["  outer", "25.0%", "50%", "25.0%", "50Mi", "50%", "-", "-", "-", "-", "5/10", "12/-/-"]);
});

test("sorted by use; as a tree what is inside follows what it is inside of", () => {
  const names = (tree: boolean, filter = ""): string[] =>
    arranged(rowsFor({ outer: 0.1, inner: 0.3, other: 0.2 }), "cpu", tree, filter).map(({ row, depth }) => `${"-".repeat(depth)}${row.name}`);
  expect(names(false)).toEqual(["inner", "other", "outer"]);
  expect(names(true)).toEqual(["other", "outer", "-inner"]);
  expect(names(true, "inn")).toEqual(["inner"]);
});

test("several replicas may use what each of them may, together", () => {
  const resource = resources.get("LimitGroup/outer");
  if (!resource) throw new Error("no group");
  expect(rowOf(resource, { usage: { pids: 15 }, rates: {}, cgroups: 5 })).toMatchObject({ pids: 15, pidsMax: 50, memoryMax: 500 << 20 });
});

test("columns stand below each other", () => {
  const [first, second] = aligned([HEADER, ["a", ...Array<string>(HEADER.length - 1).fill("1")]]);
  expect(first?.length).toBe(second?.length);
});
