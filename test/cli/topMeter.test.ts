import { afterEach, expect, test } from "@jest/globals";
import type { ObjectKey } from "../../src/api/resource.ts";
import type { Usage } from "../../src/cgroup/usage.ts";
import { Meter, NOTHING } from "../../src/cli/topMeter.ts";
import type { TopRow } from "../../src/cli/topRows.ts";
import type { UsageAnswer, UsageQuestion } from "../../src/serve/usageOfAll.ts";
import { group } from "../support/manifests.ts";
import { type Simulation, simulate } from "../support/simulated.ts";

let simulation: Simulation;
afterEach(() => simulation.close());

const A: ObjectKey = "LimitGroup/a";

const told = (rows: readonly TopRow[]) => rows.find(({ key }) => key === A);

/** Two groups, and a host that says what it is told to say. */
async function metered(): Promise<{ meter: Meter; asked: UsageQuestion[]; answer: (time: number, a: Usage | undefined, from?: number) => void }> {
  simulation = simulate(2);
  simulation.load(`${group("a")}---\n${group("b")}`);
  const answers: UsageAnswer[] = [];
  const asked: UsageQuestion[] = [];
  const source = {
    ask: async (question: UsageQuestion) => {
      asked.push(question);
      const answer = answers.shift();
      if (!answer) throw new Error("asked too often");
      return answer;
    },
    close: () => {},
  };
  const answer = (time: number, a: Usage | undefined, from?: number): void =>
    void answers.push({ time, usage: a === undefined ? {} : { [A]: a }, before: from === undefined ? {} : { [A]: from } });
  return { meter: new Meter({ engine: simulation.engine }, source), asked, answer };
}
const SHOWN = new Set([A]);

test("what comes into sight keeps what the look found per second, and the rest is measured from then on", async () => {
  const { meter, asked, answer } = await metered();
  answer(1000, { cpuUsec: 0 });
  await meter.look("cpu", NOTHING);
  answer(2000, { cpuUsec: 500_000 });
  expect(told(await meter.look("cpu", NOTHING))).toMatchObject({ cpu: 0.5, pids: undefined });
  // Half a second later.
  answer(2500, { cpuUsec: 1_000_000, readBytes: 4096, pids: 3 });
  expect(told(await meter.detail(SHOWN))).toMatchObject({ cpu: 0.5, pids: 3, read: undefined });
  expect(asked.at(-1)).toEqual({ depth: "nothing", shown: SHOWN, since: 2000 });
  answer(3000, { cpuUsec: 1_500_000, readBytes: 8192, pids: 3 });
  expect(told(await meter.look("cpu", SHOWN))).toMatchObject({ cpu: 1, pids: 3, read: 8192 });
  expect(asked.at(-1)).toEqual({ depth: "cpu", shown: SHOWN, since: 2000 });
});

test("what was not looked at for a while is not measured from then", async () => {
  const { meter, asked, answer } = await metered();
  answer(1000, { cpuUsec: 0 });
  await meter.look("cpu", NOTHING);
  answer(2000, { cpuUsec: 500_000 });
  await meter.look("cpu", NOTHING);
  for (const time of [3000, 4000, 5000]) {
    answer(time, { pids: 3 });
    await meter.look("pids", NOTHING);
  }
  answer(6000, { cpuUsec: 2_500_000 });
  expect(told(await meter.look("cpu", NOTHING))?.cpu).toBeUndefined();
  expect(asked.at(-1)?.since).toBeUndefined();
  answer(7000, { cpuUsec: 3_000_000 });
  expect(told(await meter.look("cpu", NOTHING))?.cpu).toBe(0.5);
  // Out of sight by name, and in sight again.
  answer(8000, undefined);
  await meter.look("name", NOTHING);
  answer(18_000, undefined);
  await meter.look("name", NOTHING);
  answer(18_100, { cpuUsec: 8_000_000 });
  expect(told(await meter.detail(SHOWN))?.cpu).toBeUndefined();
  answer(19_100, { cpuUsec: 8_500_000 });
  expect(told(await meter.look("name", SHOWN))?.cpu).toBe(0.5);
});

test("what does nothing uses nothing, from the second look at it; what is gone tells nothing any more", async () => {
  const { meter, answer } = await metered();
  for (const time of [1000, 2000]) {
    answer(time, undefined);
    await meter.look("name", NOTHING);
  }
  answer(2001, { cpuUsec: 5, throttledUsec: 0, memory: 4096, pids: 1 });
  expect(told(await meter.detail(SHOWN))).toMatchObject({ cpu: undefined, memory: 4096 });
  answer(3000, { cpuUsec: 5, throttledUsec: 0, memory: 4096, pids: 1 });
  expect(told(await meter.look("name", SHOWN))).toMatchObject({ cpu: 0, throttled: 0, memory: 4096 });
  answer(4000, {});
  expect(told(await meter.look("name", SHOWN))).toMatchObject({ cpu: undefined, memory: undefined, pids: undefined });
  // And of what is not shown: what it is sorted by.
  answer(5000, { memory: 4096 });
  expect(told(await meter.look("memory", NOTHING))).toMatchObject({ memory: 4096 });
  answer(6000, undefined);
  expect(told(await meter.look("memory", NOTHING))).toMatchObject({ memory: 4096 });
  answer(7000, {});
  expect(told(await meter.look("memory", NOTHING))).toMatchObject({ memory: undefined });
});

test("what was read in turns is measured from when it was read; a counter that begins anew is no use", async () => {
  const { meter, answer } = await metered();
  answer(1000, { cpuUsec: 0 });
  for (const time of [2000, 3000, 4000]) {
    await meter.look("cpu", NOTHING);
    answer(time, undefined);
  }
  expect(told(await meter.look("cpu", NOTHING))?.cpu).toBe(0);
  answer(5000, { cpuUsec: 2_000_000 }, 1000);
  expect(told(await meter.look("cpu", NOTHING))?.cpu).toBe(0.5);
  answer(6000, { cpuUsec: 10 });
  expect(told(await meter.look("cpu", NOTHING))?.cpu).toBe(0);
});

test("an object that changed, came or went is told as it is now", async () => {
  const { meter, answer } = await metered();
  answer(1000, { pids: 3 });
  await meter.look("pids", NOTHING);
  simulation.load(`${group("a", "{limits: {pids.max: 9}}")}---\n${group("c")}`);
  answer(2000, undefined);
  const rows = await meter.look("pids", NOTHING);
  expect(rows.map(({ name }) => name)).toEqual(["a", "c"]);
  expect(told(rows)).toMatchObject({ pids: 3, pidsMax: 9 });
});
