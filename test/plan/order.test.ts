import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { group } from "../support/manifests.ts";
import { linesOf, simulate } from "../support/simulated.ts";

/**
 * The simulated kernel refuses what a kernel refuses (a child's ratio above its parent's, memsw below limit, a burst above
 * the quota, a cpuset that is not its parent's): a refusal means that the order of writes was wrong.
 */
const cpu = fc.tuple(fc.integer({ min: 1, max: 100 }), fc.constantFrom(10, 50, 100, 500)).map(([percent, period]) => {
  const quota = Math.max(1, (percent * period) / 100);
  return { ratio: quota / period, spec: `{quota: ${quota}ms, period: ${period}ms}` };
});
const cpus = fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 });

/** Two trees of the same three nested groups, each valid by itself. */
const tree = fc.record({
  shares: fc.tuple(cpu, cpu, cpu),
  limited: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  lists: fc.tuple(cpus, cpus, cpus),
  memory: fc.tuple(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 0, max: 64 })),
  burst: fc.boolean(),
  frozen: fc.boolean(),
});

type Tree = typeof tree extends fc.Arbitrary<infer T> ? T : never;

function manifests({ shares, limited, lists, memory, burst, frozen }: Tree): string {
  const sorted = [...shares].sort((a, b) => b.ratio - a.ratio);
  let list = lists[0];
  return ["a", "b", "c"]
    .map((name, depth) => {
      const narrowed = (lists[depth] ?? []).filter((member) => list.includes(member));
      if (narrowed.length > 0) list = narrowed;
      const limits = [`cpuset.cpus: "${list.join(",")}"`, `memory.max: ${memory[0]}Mi`, `memory.swap.max: ${memory[1]}Mi`];
      if (limited[depth]) limits.push(`cpu.max: ${sorted[depth]?.spec}`, ...(burst ? ["cpu.max.burst: 1ms"] : []));
      return group(name, `{${depth > 0 ? `parentRef: {name: ${["a", "b"][depth - 1]}}, ` : ""}frozen: ${frozen}, limits: {${limits.join(", ")}}}`);
    })
    .join("---\n");
}

describe.each([1, 2] as const)("on cgroup v%i", (version) => {
  test("from any tree to any tree without a refused write, and then there is nothing to do", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 2, maxLength: 3 }), async (trees) => {
        const simulation = simulate(version);
        try {
          for (const each of trees) {
            simulation.load(manifests(each));
            const plan = await simulation.converge();
            expect(simulation.events.filter(({ type }) => type === "Warning")).toEqual([]);
            expect(linesOf(plan.actions)).toEqual([]);
          }
        } finally {
          simulation.close();
        }
      }),
      { numRuns: 25 },
    );
  });
});
