/** The controller killed with -9 at random instants, over workloads that crash all the time: nothing lost, no wrong exit code, no twin. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { Live, sleep, until, whyNotLive } from "../support/live.ts";
import { workload } from "../support/manifests.ts";

/** Fewer where the machine is emulated. */
const KILLS = Number(process.env["HOLDFAST_TEST_KILLS"] ?? 200);

(whyNotLive === undefined ? describe : describe.skip)("chaos", () => {
  const live = new Live();
  afterAll(() => live.close());

  test(
    `${KILLS} kills of the controller`,
    async () => {
      // Each run writes its number, and ends with it; the sleeper must never end.
      const crash = (name: string, seconds: string): string =>
        workload(
          name,
          `{command: [sh, -c, 'n=$(cat ${live.directory}/${name} 2>/dev/null || echo 0); n=$((n + 1)); echo $n >${live.directory}/${name}; echo "start $n pid $$"; sleep ${seconds}; exit $((n % 100 + 1))'], backoff: {initial: 0s, max: 0s}}`,
        );
      live.write([crash("a", "0.05"), crash("b", "0.2"), crash("c", "0"), workload("sleeper", "{command: [sleep, '3600']}")].join("---\n"));
      let sleeper: number | undefined;
      const recorded = new Map<string, { exitCode: number | null; reason: string }[]>([
        ["a", []],
        ["b", []],
        ["c", []],
      ]);
      const seen = new Set<string>();
      /** The output of each controller is the history of the exits that it recorded. */
      const collect = (lines: readonly Record<string, unknown>[]): void => {
        for (const { object, msg } of lines) {
          const match = /^(\w)@0 ended: (\w+) \(exit code (\d+)\)$/.exec(String(msg));
          if (match) recorded.get(match[1] ?? "")?.push({ exitCode: Number(match[3]), reason: match[2] ?? "" });
          else if (/ended|gone/.test(String(msg))) seen.add(`${object}: ${msg}`);
        }
      };
      let random = 42;
      for (let kill = 0; kill < KILLS; kill++) {
        const controller = live.controller("--resync", "1s");
        random = (random * 1103515245 + 12345) % 2 ** 31;
        await sleep(random % 450);
        const gone = new Promise((resolve) => controller.child.once("exit", resolve));
        controller.child.kill("SIGKILL");
        await gone;
        collect(controller.lines());
        const now = aliveIn(live.cgroup("", "sleeper@0"));
        if (sleeper === undefined) [sleeper] = now;
        else expect(now).toEqual([sleeper]);
        for (const name of ["a", "b", "c"]) expect(mainsOf(live, name)).toBeLessThanOrEqual(1);
      }
      const last = live.controller("--resync", "1s");
      const told = (name: string): boolean => last.lines().some(({ msg }) => String(msg).startsWith(`${name}@0 ended`));
      await until("the last controller has seen an end of each", () => [...recorded.keys()].every(told), 60_000);
      last.child.kill("SIGTERM");
      await new Promise((resolve) => last.child.once("exit", resolve));
      collect(last.lines());

      expect([...seen]).toEqual([]);
      for (const [name, exits] of recorded) {
        const starts = Number(readFileSync(join(live.directory, name), "utf8"));
        const codes = exits.map(({ exitCode }) => exitCode);
        // A kill between the record and the telling of it may lose the telling, never the record; a code may be told twice, never wrong.
        const expected = Array.from({ length: starts }, (_, index) => ((index + 1) % 100) + 1);
        const unexpected = codes.filter((code) => !expected.includes(code ?? -1));
        expect({ name, unexpected }).toEqual({ name, unexpected: [] });
        expect(codes.length).toBeGreaterThan(0);
        const started = (live.log(name).match(/^start /gm) ?? []).length;
        expect({ name, started }).toEqual({ name, started: starts });
        const record = JSON.parse(readFileSync(join(live.runDirectory, "replicas", `${name}@0.json`), "utf8")) as {
          record: { last: { exitCode: number; reason: string } };
        };
        expect(record.record.last.reason).toBe("Error");
        // The last recorded exit is that of one of the last two runs: none in between was lost or wrong.
        expect([((starts - 1) % 100) + 1, (starts % 100) + 1]).toContain(record.record.last.exitCode);
      }
    },
    KILLS * 5_000 + 120_000,
  );
});

function aliveIn(directory: string): number[] {
  try {
    return readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** How many attempts of a workload have a running main process: a second one would be a twin. */
function mainsOf(live: Live, name: string): number {
  let names: string[] = [];
  try {
    names = readdirSync(live.cgroup("", ".holders"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(`${name}@`))
      .map((entry) => entry.name);
  } catch {
    return 0;
  }
  return names.filter((attempt) =>
    aliveIn(join(live.cgroup("", ".holders"), attempt)).some((holder) => {
      try {
        const child = Number(readFileSync(`/proc/${holder}/task/${holder}/children`, "utf8").split(" ")[0]);
        return child > 0 && !/\) Z /.test(readFileSync(`/proc/${child}/stat`, "utf8"));
      } catch {
        return false;
      }
    }),
  ).length;
}
