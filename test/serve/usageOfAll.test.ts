import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { ObjectKey } from "../../src/api/resource.ts";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import { UsageReader } from "../../src/host/usage.ts";
import { pathsByOwner } from "../../src/plan/desired.ts";
import { queryOf, questionIn, UsageOfAll } from "../../src/serve/usageOfAll.ts";
import { group } from "../support/manifests.ts";
import { type Simulation, simulate } from "../support/simulated.ts";

let simulation: Simulation;
afterEach(() => simulation.close());

const set = (name: string, pids: number): void => writeFileSync(join(simulation.directory("pids", name), "pids.current"), `${pids}\n`);

/** So many groups, of one process each, that those at rest are read in turns. */
async function many(): Promise<void> {
  simulation = simulate(2);
  const names = Array.from({ length: 150 }, (_, index) => `g${index}`);
  simulation.load(names.map((name) => group(name, "{limits: {pids.max: 9}}")).join("---\n"));
  await simulation.converge();
  for (const name of names) set(name, 1);
}

test("who asks again is told of what is shown, and of what has changed since", async () => {
  simulation = simulate(2);
  simulation.load(["a", "b", "c"].map((name) => group(name, "{limits: {pids.max: 9, memory.max: 1Mi}}")).join("---\n"));
  await simulation.converge();
  const set = (name: string, file: string, value: number): void => writeFileSync(join(simulation.directory("memory", name), file), `${value}\n`);
  for (const name of ["a", "b", "c"]) for (const file of ["memory.current", "pids.current"]) set(name, file, 1);
  const { host, desired } = simulation.engine;
  const all = new UsageOfAll(new UsageReader(host.base.controllers, host.tree, 0));
  const ask = async (since: number | undefined, ...shown: string[]) => {
    const question = { depth: "memory", shown: new Set(shown.map((name) => `LimitGroup/${name}` as ObjectKey)), since } as const;
    expect(questionIn(new URLSearchParams(queryOf(question)))).toEqual({ ...question, shown: new Set(shown.length > 0 ? question.shown : [""]) });
    const { time, usage } = await all.answer(desired, question);
    return { time, told: Object.entries(usage).map(([key, { memory, pids }]) => `${key.slice(11)} ${memory} ${pids ?? "-"}`) };
  };
  const first = await ask(undefined);
  expect(first.told).toEqual(["a 1 -", "b 1 -", "c 1 -"]);
  expect((await ask(first.time)).told).toEqual([]);
  set("b", "memory.current", 2);
  const second = await ask(first.time, "a");
  expect(second.told).toEqual(["a 1 1", "b 2 -"]);
  // Another one that asks does not keep it from the first.
  set("c", "memory.current", 3);
  await ask(second.time);
  expect((await ask(second.time)).told).toContain("c 3 -");
  // What was shown with another value and is as it was before is told.
  const third = await ask(second.time);
  set("c", "memory.current", 4);
  const fourth = await ask(third.time, "c");
  set("c", "memory.current", 3);
  expect((await ask(fourth.time)).told).toContain("c 3 -");
  for (const bad of ["depth=x", "since=-1", "since=x"]) expect(questionIn(new URLSearchParams(bad))).toBeUndefined();
});

test("of many, what does nothing is read in turns: a change is told within five looks, with when it was read before", async () => {
  await many();
  const { host, desired } = simulation.engine;
  const reader = new UsageReader(host.base.controllers, host.tree, 0);
  let reads = 0;
  let now = 1;
  const counted = Object.assign(Object.create(reader) as UsageReader, {
    readAll: (...asked: Parameters<UsageReader["readAll"]>) => {
      reads++;
      return reader.readAll(...asked);
    },
  });
  const all = new UsageOfAll(counted, () => now);
  let since: number | undefined;
  const looked = async (): Promise<readonly [number, string[], Record<string, number>]> => {
    reads = 0;
    now += 1000;
    const { time, usage, before } = await all.answer(desired, { depth: "pids", shown: new Set(), since });
    since = time;
    return [reads, Object.keys(usage), before];
  };
  const key = "LimitGroup/g7" as ObjectKey;
  expect((await looked())[1]).toHaveLength(150);
  expect(await looked()).toEqual([150, [], {}]);
  for (let look = 0; look < 5; look++) expect(await looked()).toEqual([30, [], {}]);
  const before = since ?? 0;
  set("g7", 5);
  let found: Awaited<ReturnType<typeof looked>> = [0, [], {}];
  for (let look = 0; look < 5 && found[1].length === 0; look++) found = await looked();
  expect(found[1]).toEqual([key]);
  if (key in found[2]) expect(found[2][key]).toBeLessThanOrEqual(before);
  // As long as it does something it is looked at every time.
  for (let value = 6; value < 9; value++) {
    set("g7", value);
    const [count, keys, times] = await looked();
    expect([keys, times]).toEqual([[key], {}]);
    expect(count).toBeGreaterThanOrEqual(30);
  }
  // Who looks seldom waits for no turn.
  await looked();
  now += 59_000;
  set("g9", 5);
  expect(await looked()).toMatchObject([150, ["LimitGroup/g9"], { "LimitGroup/g9": expect.any(Number) }]);
});

test("of many, what is shown is read to the end where a process ran, and else in turns", async () => {
  await many();
  const set = (file: string, text: string): void => writeFileSync(join(simulation.directory("pids", "g7"), file), `${text}\n`);
  const ran = (usec: number): void => set("cpu.stat", `usage_usec ${usec}`);
  const { host, desired } = simulation.engine;
  const all = new UsageOfAll(new UsageReader(host.base.controllers, host.tree, 0));
  const key = "LimitGroup/g7" as ObjectKey;
  let since: number | undefined;
  const looked = async () => {
    const last = since;
    const { time, usage, before } = await all.answer(desired, { depth: "memory", shown: new Set([key]), since });
    since = time;
    return { last, usec: usage[key]?.cpuUsec, hits: usage[key]?.pidsLimitHits, before: before[key] };
  };
  ran(1);
  set("pids.events", "max 0");
  // Shown from the beginning, and known to rest.
  for (let look = 0; look < 3; look++) expect(await looked()).toMatchObject({ usec: 1, hits: 0 });
  set("pids.events", "max 1");
  const seen = [];
  for (let look = 0; look < 5; look++) seen.push(await looked());
  expect(seen.map(({ hits }) => hits)).toEqual([0, 0, 0, 0, 1]);
  // It may have happened at any time since it was read.
  expect(seen[4]?.before).toBeLessThan(seen[4]?.last ?? 0);
  for (let look = 0; look < 2; look++) await looked();
  ran(2);
  set("pids.events", "max 2");
  // It did not run before the look before.
  expect(await looked()).toMatchObject({ usec: 2, hits: 2, before: undefined });
});

test("what one is told of while another is being answered, the other is told of next", async () => {
  await many();
  const { host, desired } = simulation.engine;
  const all = new UsageOfAll(new UsageReader(host.base.controllers, host.tree, 0));
  const ask = (since: number | undefined) => all.answer(desired, { depth: "pids", shown: new Set(), since });
  let { time } = await ask(undefined);
  ({ time } = await ask(time));
  // Reads everything, with pauses; the other one reads little, and is through in one of them.
  const long = ask(undefined);
  ({ time } = await ask(time));
  set("g149", 2);
  await long;
  const told: string[] = [];
  for (let look = 0; look < 6; look++) {
    const answer = await ask(time);
    time = answer.time;
    told.push(...Object.keys(answer.usage));
  }
  expect(told).toContain("LimitGroup/g149");
});

test("what one has found, another is told of with when it was read before; what is gone tells nothing", async () => {
  await many();
  const file = join(simulation.directory("pids", "g8"), "pids.current");
  const { host, desired } = simulation.engine;
  let now = 1;
  const all = new UsageOfAll(new UsageReader(host.base.controllers, host.tree, 0), () => now);
  const key = "LimitGroup/g8" as ObjectKey;
  const asker = (shown: ReadonlySet<ObjectKey>) => {
    let since: number | undefined;
    return async (time: number) => {
      now = time;
      const answer = await all.answer(desired, { depth: "pids", shown, since });
      since = answer.time;
      return { told: answer.usage[key], before: answer.before[key] };
    };
  };
  const [one, other] = [asker(new Set()), asker(new Set([key]))];
  for (const time of [1000, 2000]) await one(time);
  // Not its turn.
  expect(await one(3000)).toEqual({ told: undefined, before: undefined });
  writeFileSync(file, "2\n");
  expect((await other(3500)).told).toMatchObject({ pids: 2 });
  expect(await one(4000)).toEqual({ told: { pids: 2 }, before: 2000 });
  renameSync(file, `${file}.gone`);
  const told = [];
  for (let time = 5000; time < 12_000; time += 1000) told.push((await one(time)).told);
  expect(told).toContainEqual({});
  expect((await other(12_500)).told?.pids).toBeUndefined();
});

test("a file that was not there is looked for again when cgroups were made", async () => {
  simulation = simulate(2);
  simulation.load(group("g", "{limits: {pids.max: 9}}"));
  await simulation.converge();
  const { host } = simulation.engine;
  const file = join(simulation.directory("pids", "g"), "pids.current");
  const reader = new UsageReader(host.base.controllers, host.tree, 10);
  const pids = (): number | undefined => reader.read("g" as CgroupPath, "pids").pids;
  writeFileSync(`${file}.later`, "3\n");
  expect(pids()).toBeUndefined();
  renameSync(`${file}.later`, file);
  expect(pids()).toBeUndefined();
  reader.lookAgain();
  expect([pids(), pids()]).toEqual([3, 3]);
  reader.close();
});

describe.each([1, 2] as const)("on cgroup v%d", (version) => {
  test("the members of a group are counted once: they are below it", async () => {
    simulation = simulate(version);
    simulation.load(group("g", "{limits: {pids.max: 9, memory.max: 1Mi}, members: [{comm: x}]}"));
    await simulation.converge();
    const { host, desired } = simulation.engine;
    const set = (controller: string, path: string, file: string, text: string): void =>
      writeFileSync(join(simulation.directory(controller, path), file), `${text}\n`);
    const [memory, kills] = version === 1 ? ["memory.usage_in_bytes", "memory.oom_control"] : ["memory.current", "memory.events"];
    for (const path of ["g", "g/members"]) {
      set("pids", path, "pids.current", "3");
      set("memory", path, memory, "4096");
    }
    // v1 counts a kill where it was, v2 above that too.
    set("memory", "g", kills, `oom_kill ${version === 1 ? 0 : 2}`);
    set("memory", "g/members", kills, "oom_kill 2");
    const all = new UsageOfAll(new UsageReader(host.base.controllers, host.tree, 0));
    const { usage } = await all.answer(desired, { depth: "all", shown: new Set(), since: undefined });
    expect(usage["LimitGroup/g"]).toMatchObject({ pids: 3, memory: 4096, oomKills: 2 });
    expect(pathsByOwner(desired).get("LimitGroup/g")).toEqual(["g"]);
  });
});
