import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import type { Origin } from "../../src/api/resource.ts";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import { lineOf } from "../../src/manifest/locate.ts";
import { changedPaths } from "../../src/reconcile/changes.ts";
import { lastInForce, loadState } from "../../src/reconcile/state.ts";
import { group, workload } from "../support/manifests.ts";
import { linesOf, type Simulation, simulate } from "../support/simulated.ts";

let simulation: Simulation;
afterEach(() => simulation.close());
const only = (...paths: string[]): ReadonlySet<CgroupPath> => new Set(paths as CgroupPath[]);
const read = (controller: string, path: string, file: string): string => readFileSync(join(simulation.directory(controller, path), file), "utf8").trim();

test("a look at one replica says nothing about another: what was refused there stands, and stays pending", async () => {
  simulation = simulate(2);
  const spec = (limit: string): string => workload("w", `{command: [x], replicas: 2, limits: {memory.max: ${limit}}}`);
  simulation.load(spec("200Mi"));
  await simulation.converge();
  writeFileSync(join(simulation.directory("memory", "w@0"), "memory.current"), String(150 * 1024 * 1024));
  simulation.load(spec("100Mi"));
  await simulation.converge();
  expect(read("memory", "w@1", "memory.max")).toBe(String(100 * 1024 * 1024));
  await simulation.engine.converge(only("w@1"));
  const ready = () =>
    simulation.engine
      .status()
      .get("Workload/w")
      ?.status.conditions.find(({ type }) => type === "Ready");
  expect(ready()).toMatchObject({ status: "False", reason: "Blocked" });
  writeFileSync(join(simulation.directory("memory", "w@0"), "memory.current"), "0");
  expect(simulation.engine.plan().actions).toMatchObject([{ type: "write", path: "w@0", cause: "pending" }]);
  await simulation.engine.converge(only("w@0"));
  await simulation.engine.converge(only("w@0"));
  expect(ready()).toMatchObject({ status: "True" });
  // What stood there is drift when it moves.
  writeFileSync(join(simulation.directory("memory", "w@1"), "memory.max"), "4096");
  expect(simulation.engine.plan().actions).toMatchObject([{ type: "write", path: "w@1", cause: "drift" }]);
});

test("memory.max gets below what is in use by way of memory.high, which goes back once it fits; and never in a cgroup of somebody else's", async () => {
  simulation = simulate(2);
  const memory = (path: string): string[] => ["memory.max", "memory.high"].map((file) => read("memory", path, file));
  const use = (path: string, mebibytes: number): void =>
    writeFileSync(join(simulation.directory("memory", path), "memory.current"), String(mebibytes * 2 ** 20));
  const [many, few] = [String(200 * 2 ** 20), String(100 * 2 ** 20)];
  simulation.load(group("g", "{limits: {memory.max: 200Mi}}"));
  await simulation.converge();
  use("g", 150);
  simulation.load(group("g", "{limits: {memory.max: 100Mi}}"));
  const plan = await simulation.converge();
  expect(memory("g")).toEqual([many, few]);
  expect(plan.problems).toMatchObject([{ reason: "Blocked", message: expect.stringContaining("memory.high is lowered first") }]);
  const [wake] = plan.wakes.values();
  expect((wake ?? 0) - Date.now()).toBeLessThan(1500);
  // Looked at again it is asked again for memory, and nothing else is done.
  expect(linesOf(simulation.engine.plan().actions)).toEqual(["LimitGroup/g: have the kernel reclaim 50Mi"]);
  use("g", 90);
  // memory.max first: until it stands, memory.high keeps the group from growing.
  await simulation.engine.converge(only("g"));
  expect(memory("g")).toEqual([few, few]);
  await simulation.engine.converge(only("g"));
  expect(memory("g")).toEqual([few, "max"]);
  expect(simulation.events.filter(({ reason }) => reason === "DriftRepaired")).toEqual([]);
  expect(linesOf(simulation.engine.plan().actions)).toEqual([]);
  // Raised again meanwhile, it is as if nothing had been.
  use("g", 150);
  simulation.load(group("g", "{limits: {memory.max: 120Mi, memory.high: 110Mi}}"));
  await simulation.converge();
  expect(memory("g")).toEqual([few, String(110 * 2 ** 20)]);
  simulation.load(group("g", "{limits: {memory.max: 200Mi}}"));
  await simulation.converge();
  await simulation.converge();
  expect(memory("g")).toEqual([many, "max"]);
});

test("a limit that is taken out of the manifest is taken back also in a hierarchy that nothing needs any more", async () => {
  simulation = simulate(1);
  simulation.load(group("g", "{limits: {pids.max: 5}}"));
  await simulation.converge();
  const before = simulation.engine.desired;
  simulation.load(group("g", "{limits: {cpu.max: 50%}}"));
  const changed = changedPaths(before, simulation.engine.desired);
  expect(changed).toEqual(only("", "g"));
  await simulation.engine.converge(changed);
  expect(read("pids", "g", "pids.max")).toBe("max");
  expect(linesOf(simulation.engine.plan().actions)).toEqual([]);
});

test("what was in force is known again from the status file: file, line of the document, annotations, all but its text", async () => {
  simulation = simulate(2);
  simulation.load(`# one\n---\n${group("g", "{limits: {pids.max: 5}}")}`.replace("{name: g}", '{name: g, annotations: {holdfast.dev/force: "true"}}'));
  await simulation.converge();
  await simulation.engine.save();
  const { keys, load } = lastInForce(loadState(simulation.engine.host.options.runDirectory));
  expect(keys).toEqual(["LimitGroup/g"]);
  const resource = load().resources.get("LimitGroup/g");
  expect(resource).toMatchObject({ limits: { "pids.max": "5" }, annotations: { "holdfast.dev/force": "true" } });
  expect(lineOf(resource?.origin as Origin, "/spec/limits/pids.max")).toBe("a.yaml:3");
});

test("what is not kept open is looked at in turns, each cgroup once in six glances", async () => {
  simulation = simulate(2);
  const names = Array.from({ length: 15 }, (_, index) => `g${index}`);
  simulation.load(names.map((name) => group(name, "{limits: {pids.max: 5}}")).join("---\n"));
  await simulation.converge();
  const glances = [0, 1, 2, 3, 4, 5].map((turn) => [...simulation.engine.glance(turn)].flat());
  for (const glance of glances) expect(glance.length).toBeLessThanOrEqual(3);
  expect(glances.flat().sort()).toEqual(["", ...names].sort());
  // What was in trouble is looked at every time.
  writeFileSync(join(simulation.directory("pids", "g3"), "pids.max"), "7");
  simulation.load(names.map((name) => group(name, "{drift: Report, limits: {pids.max: 5}}")).join("---\n"));
  await simulation.converge();
  for (const turn of [0, 1, 2, 3, 4, 5]) expect([...simulation.engine.glance(turn)].flat()).toContain("g3");
});
