import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import { group } from "../support/manifests.ts";
import { linesOf, type Simulation, simulate } from "../support/simulated.ts";

let simulation: Simulation;
beforeEach(() => {
  simulation = simulate(2);
});
afterEach(() => simulation.close());

const MiB = 2 ** 20;
const file = (name: string): string => join(simulation.directory("memory", "g"), name);
const max = (): number => Number(readFileSync(file("memory.max"), "utf8")) / MiB;
/** So many were killed; and its own limit was hit so often. */
const kills = (count: number, hits = count): void => {
  writeFileSync(file("memory.events"), `low 0\nhigh 0\nmax 0\noom ${hits}\noom_kill ${count}\n`);
  writeFileSync(file("memory.events.local"), `low 0\nhigh 0\nmax 0\noom ${hits}\noom_kill 0\n`);
};
const pressure = (percent: number): void =>
  writeFileSync(file("memory.pressure"), `some avg10=99.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=${percent}.00 avg60=0.00 avg300=0.00 total=1\n`);
const manifest = (limit: string, more = ""): string => group("g", `{limits: {memory.max: ${limit}}}`).replace("{name: g}", `{name: g${more}}`);
const only = new Set(["g"] as CgroupPath[]);
const ready = () =>
  simulation.engine
    .status()
    .get("LimitGroup/g")
    ?.status.conditions.find(({ type }) => type === "Ready");

test("while memory is scarce a limit gets larger, and not smaller; then it does", async () => {
  simulation.load(manifest("200Mi"));
  await simulation.converge();
  pressure(30);
  simulation.load(manifest("100Mi"));
  const { wakes } = await simulation.converge();
  expect(max()).toBe(200);
  expect(ready()).toMatchObject({ status: "False", reason: "PressureHeld" });
  expect([...wakes.values()][0]).toBeLessThanOrEqual(Date.now() + 5000);
  simulation.load(manifest("300Mi"));
  await simulation.converge();
  expect(max()).toBe(300);
  simulation.load(manifest("100Mi"));
  await simulation.converge();
  expect(max()).toBe(300);
  pressure(5);
  await simulation.engine.converge(only);
  expect(max()).toBe(100);
  expect(simulation.events.filter(({ reason }) => reason === "DriftRepaired")).toEqual([]);
  pressure(30);
  simulation.load(manifest("90Mi", ', annotations: {holdfast.dev/force: "true"}'));
  await simulation.converge();
  expect(max()).toBe(90);
});

test("a smaller limit under which processes are killed is taken back, and stays so until the manifest says something else", async () => {
  simulation.load(manifest("200Mi"));
  await simulation.converge();
  kills(3);
  simulation.load(manifest("100Mi"));
  const { wakes } = await simulation.converge();
  expect(max()).toBe(100);
  // It is looked at again for a while.
  expect(wakes.size).toBeGreaterThan(0);
  await simulation.engine.converge(only);
  expect(max()).toBe(100);
  // By the limit of a group inside.
  kills(4, 3);
  await simulation.engine.converge(only);
  expect(max()).toBe(100);
  kills(5);
  await simulation.engine.converge(only);
  await simulation.engine.converge(only);
  expect(max()).toBe(200);
  expect(simulation.events.filter(({ reason }) => reason === "Reverted")).toHaveLength(1);
  expect(simulation.events.filter(({ reason }) => reason === "Configured").at(-1)?.note).toBe("memory.max 200Mi");
  expect(ready()).toMatchObject({
    status: "False",
    reason: "Reverted",
    message: expect.stringContaining("100Mi: 200Mi is back until the manifest says something else"),
  });
  expect(linesOf(simulation.engine.plan().actions)).toEqual([]);
  // What somebody writes there goes back to that value.
  writeFileSync(file("memory.max"), String(150 * MiB));
  await simulation.engine.converge(only);
  expect(max()).toBe(200);
  // The same manifest once more is the same manifest.
  simulation.load(`${manifest("100Mi")}---\n${group("other")}`);
  await simulation.converge();
  expect(max()).toBe(200);
  simulation.load(manifest("120Mi"));
  await simulation.converge();
  expect(max()).toBe(120);
  expect(ready()?.status).toBe("True");
});

test("kills before, or long after, are nobody's reason; what was taken back is known to the next controller", async () => {
  simulation.load(manifest("200Mi"));
  await simulation.converge();
  kills(9);
  simulation.load(manifest("100Mi"));
  await simulation.converge();
  await simulation.engine.converge(only);
  expect(max()).toBe(100);
  kills(10);
  await simulation.engine.converge(only);
  await simulation.engine.converge(only);
  expect(max()).toBe(200);
  await simulation.engine.save();
  const stored = JSON.parse(readFileSync(join(simulation.engine.host.options.runDirectory, "status.json"), "utf8")) as { reverted: unknown[] };
  expect(stored.reverted).toMatchObject([{ write: { path: "g", knob: "memory.max", from: String(200 * MiB), to: String(100 * MiB) } }]);
});
