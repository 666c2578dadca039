/** The demos of the origin article, measured. */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, sleep, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("the article's demos", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  test("a dd at 20 % of a CPU uses 20 % within 2 points", async () => {
    await live.apply(
      `${group("cpu", "{limits: {cpu.max: 20%}}")}---\n${workload("dd", "{command: [timeout, '60', dd, if=/dev/zero, of=/dev/null, bs=1M], limitGroupRef: {name: cpu}}")}`,
    );
    await sleep(500);
    const used = (): number => {
      const stat = live.version("cpu") === 2 ? Number(/usage_usec (\d+)/.exec(live.read("cpu", "cpu", "cpu.stat"))?.[1]) * 1000 : processTime(live.pid("dd"));
      return stat / 1e6;
    };
    const [before, from] = [used(), performance.now()];
    await sleep(4000);
    const share = ((used() - before) / (performance.now() - from)) * 100;
    expect(share).toBeGreaterThan(18);
    expect(share).toBeLessThan(22);
  });

  test("200 MiB and no swap: what takes 300 is killed by the kernel, and that is known", async () => {
    await live.apply(
      workload(
        "hungry",
        "{command: [dd, if=/dev/zero, of=/dev/null, bs=300M, count=1], restartPolicy: Never, limits: {memory.max: 200Mi, memory.swap.max: 0}}",
      ),
    );
    const state = await live.settle("it was killed", () => live.view("hungry").status.replicaStatuses?.[0]?.state.terminated, 30_000);
    expect(state).toMatchObject({ reason: "OOMKilled", signal: "SIGKILL", exitCode: null });
    expect(live.view("hungry").status.conditions[0]).toMatchObject({ type: "Ready", status: "False", reason: "OOMKilled" });
  });

  test("200 MiB: what takes 150 lives", async () => {
    await live.apply(
      workload(
        "modest",
        "{command: [dd, if=/dev/zero, of=/dev/null, bs=150M, count=1], restartPolicy: Never, limits: {memory.max: 200Mi, memory.swap.max: 0}}",
      ),
    );
    const state = await live.settle("it ended", () => live.view("modest").status.replicaStatuses?.[0]?.state.terminated, 30_000);
    expect(state).toMatchObject({ reason: "Completed", exitCode: 0 });
  });

  test("30 MB/s: direct writes are within 15 % of the limit", async () => {
    const disk = process.env["HOLDFAST_TEST_DISK"];
    const [device, target] = disk ? [disk, disk] : ["path:/var/tmp", `/var/tmp/holdfast-test-${process.pid}`];
    try {
      const command = `[dd, if=/dev/zero, of=${target}, bs=1M, count=120, oflag=direct, conv=notrunc]`;
      await live.apply(workload("writer", `{command: ${command}, restartPolicy: Never, limits: {io.max: [{device: "${device}", wbps: 30M}]}}`));
      const state = await live.settle("it is written", () => live.view("writer").status.replicaStatuses?.[0]?.state.terminated, 30_000);
      expect(state).toMatchObject({ reason: "Completed" });
      const [, seconds] = /copied, ([\d.]+) s/.exec(live.log("writer")) ?? [];
      const rate = (120 * 1.048576) / Number(seconds);
      expect(rate).toBeGreaterThan(30 * 0.85);
      expect(rate).toBeLessThan(30 * 1.15);
    } finally {
      if (!disk) rmSync(target, { force: true });
    }
  });

  test("at most 64 processes: a fork bomb is contained, and ended as a whole", async () => {
    // Bounded by itself too: it forks for 20 seconds at most.
    const bomb = "$SIG{CHLD}='IGNORE'; my $end = time + 20; while (time < $end) { my $p = fork; if (!defined $p) { select undef,undef,undef,0.001 } }";
    await live.apply(
      `${group("pids", "{limits: {pids.max: 64}}")}---\n${workload("bomb", `{command: [perl, -e, "${bomb.replaceAll("$", "\\u0024")}"], limitGroupRef: {name: pids}, terminationGracePeriodSeconds: 0}`)}`,
    );
    await sleep(500);
    expect(Number(live.read("pids", "pids", "pids.current"))).toBeGreaterThan(30);
    expect(Number(live.read("pids", "pids", "pids.current"))).toBeLessThanOrEqual(64);
    live.write(undefined);
    await live.settle("everything is gone", () => !existsSync(live.cgroup("", "pids")));
  });

  test("suspended and resumed: no CPU time while frozen", async () => {
    const both = (frozen: boolean): string =>
      `${group("cold", `{frozen: ${frozen}}`)}---\n${workload("dd", "{command: [timeout, '60', dd, if=/dev/zero, of=/dev/null], limitGroupRef: {name: cold}}")}`;
    await live.apply(both(false));
    const pid = live.pid("dd");
    await live.apply(both(true));
    await sleep(200);
    const before = processTime(pid);
    await sleep(500);
    expect(processTime(pid)).toBe(before);
    expect(live.pid("dd")).toBe(pid);
    await live.apply(both(false));
    await sleep(500);
    expect(processTime(pid)).toBeGreaterThan(before);
  });
});

/** CPU time of a process and its children in microseconds, from the scheduler's own count. */
function processTime(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  const own = Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1000;
  return Math.round(own * 1000) + children.reduce((sum, child) => sum + processTime(child), 0);
}
