import { afterEach, expect, test } from "@jest/globals";
import type { ObjectKey } from "../../src/api/resource.ts";
import type { Usage } from "../../src/cgroup/usage.ts";
import { Meter, NOTHING } from "../../src/cli/topMeter.ts";
import type { UsageQuestion } from "../../src/serve/usageOfAll.ts";
import { group } from "../support/manifests.ts";
import { type Simulation, simulate } from "../support/simulated.ts";

let simulation: Simulation;
afterEach(() => simulation.close());

const [A, B]: readonly [ObjectKey, ObjectKey] = ["LimitGroup/a", "LimitGroup/b"];

test("what comes into sight keeps what the look found per second, and is measured from that look on", async () => {
  simulation = simulate(2);
  simulation.load(`${group("a")}---\n${group("b")}`);
  const answers: { time: number; usage: Record<ObjectKey, Usage>; before: Record<ObjectKey, number> }[] = [];
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
  const meter = new Meter({ engine: simulation.engine }, source);
  const answer = (time: number, usage: Record<ObjectKey, Usage>): void => void answers.push({ time, usage, before: {} });
  const told = (rows: readonly { key: ObjectKey }[]) => rows.find(({ key }) => key === A);
  answer(1000, { [A]: { cpuUsec: 0 }, [B]: { cpuUsec: 0 } });
  await meter.look("cpu", NOTHING);
  answer(2000, { [A]: { cpuUsec: 500_000 } });
  expect(told(await meter.look("cpu", NOTHING))).toMatchObject({ cpu: 0.5, pids: undefined });
  // Four milliseconds later, two of which it ran: that is no half more.
  answer(2004, { [A]: { cpuUsec: 502_000, readBytes: 4096, pids: 3 } });
  expect(told(await meter.detail(new Set([A])))).toMatchObject({ cpu: 0.5, pids: 3, read: undefined });
  expect(asked.at(-1)).toEqual({ depth: "nothing", shown: new Set([A]), since: 2000 });
  answer(3000, { [A]: { cpuUsec: 1_500_000, readBytes: 8192, pids: 3 } });
  expect(told(await meter.look("cpu", new Set([A])))).toMatchObject({ cpu: 1, pids: 3, read: 4096 });
  expect(asked.at(-1)).toEqual({ depth: "cpu", shown: new Set([A]), since: 2000 });
});
