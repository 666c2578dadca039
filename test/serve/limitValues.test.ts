import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import { limitValues } from "../../src/serve/limitValues.ts";
import { group } from "../support/manifests.ts";
import { type Simulation, simulate } from "../support/simulated.ts";

let simulation: Simulation;
afterEach(() => simulation.close());
const disk = ["vda", "sda", "nvme0n1", "xvda", "loop0"].find((name) => {
  try {
    return readFileSync(`/sys/class/block/${name}/dev`, "utf8") !== "";
  } catch {
    return false;
  }
});
const LIMITS =
  "{cpu.max: 50%, cpu.weight: 50, memory.max: 1000001, memory.swap.max: 1Mi, pids.max: max, io.weight: 200, cpuset.cpus: '0'" +
  (disk === undefined ? "" : `, io.max: [{device: /dev/${disk}, rbps: 1000000, wiops: 50}]`) +
  "}";

describe.each([1, 2] as const)("limits as numbers, on cgroup v%d", (version) => {
  const values = () => limitValues(simulation.engine, ["g" as CgroupPath]);
  const numbers = () => Object.fromEntries(values().limits.map(({ knob, desired, observed }) => [knob, [desired, observed]]));
  const write = (controller: string, file: string, text: string): void => writeFileSync(join(simulation.directory(controller, "g"), file), `${text}\n`);

  test("are what the kernel makes of what is declared, and what it says", async () => {
    simulation = simulate(version);
    simulation.load(group("g", `{limits: ${LIMITS}}`));
    await simulation.converge();
    const pages = Math.floor(1_000_001 / 4096) * 4096;
    const now = numbers();
    expect(now).toMatchObject({ "cpu.max": [0.5, 0.5], "memory.max": [pages, pages], "pids.max": [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] });
    for (const [desired, observed] of Object.values(now)) expect(observed).toBe(desired);
    expect(Object.keys(now).sort()).toEqual(["cpu.max", "cpu.weight", "io.weight", "memory.max", "memory.swap.max", "pids.max"]);
    if (version === 1) {
      write("cpu", "cpu.cfs_quota_us", "25000");
      write("memory", "memory.limit_in_bytes", "8192");
      write("cpu", "cpu.shares", "1024");
    } else {
      write("cpu", "cpu.max", "25000 100000");
      write("memory", "memory.max", "8192");
      write("cpu", "cpu.weight", "100");
    }
    write("pids", "pids.max", "7");
    const { "cpu.max": cpu, "memory.max": memory, "pids.max": pids, "cpu.weight": weight } = numbers();
    expect([cpu, memory, pids]).toEqual([
      [0.5, 0.25],
      [pages, 8192],
      [Number.POSITIVE_INFINITY, 7],
    ]);
    expect(weight?.[1]).toBe(100);
  });

  (disk === undefined ? test.skip : test)("of each disk, rate by rate", async () => {
    simulation = simulate(version);
    simulation.load(group("g", `{limits: ${LIMITS}}`));
    await simulation.converge();
    const rates = () => values().rates.map(({ device, rate, desired, observed }) => [device, rate, desired, observed]);
    const max = Number.POSITIVE_INFINITY;
    expect(rates().sort()).toEqual([
      [`/dev/${disk}`, "rbps", 1_000_000, 1_000_000],
      [`/dev/${disk}`, "riops", max, max],
      [`/dev/${disk}`, "wbps", max, max],
      [`/dev/${disk}`, "wiops", 50, 50],
    ]);
    const number = readFileSync(`/sys/class/block/${disk}/dev`, "utf8").trim();
    if (version === 1) write("blkio", "blkio.throttle.read_bps_device", `${number} 5`);
    else write("io", "io.max", `${number} rbps=5 wbps=max riops=max wiops=50`);
    expect(rates().find(([, rate]) => rate === "rbps")).toEqual([`/dev/${disk}`, "rbps", 1_000_000, 5]);
  });
});
