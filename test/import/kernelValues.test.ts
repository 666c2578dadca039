import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { LIMITS, type LimitName, type Limits, type LimitValue } from "../../src/api/limits.ts";
import { spellingOf } from "../../src/cgroup/knobs.ts";
import { kernelFileNamed, limitsOf, plainNumber } from "../../src/import/kernelValues.ts";

const bytes = fc.oneof(
  fc.constant("max"),
  fc.bigInt({ min: 1n, max: 2n ** 50n }).map((value) => String(value * 4096n)),
);
const limits = fc.record(
  {
    "cpu.max": fc
      .tuple(fc.oneof(fc.constant("max"), fc.integer({ min: 1000, max: 10_000_000 }).map(String)), fc.integer({ min: 1000, max: 1_000_000 }))
      .map((pair) => pair.join(" ")),
    "cpu.weight": fc.integer({ min: 1, max: 10_000 }).map(String),
    "cpuset.cpus": fc.constantFrom("0", "0-3", "0,2-3"),
    "memory.max": bytes,
    "memory.low": fc.bigInt({ min: 1n, max: 2n ** 40n }).map((value) => String(value * 4096n)),
    "pids.max": fc.oneof(fc.constant("max"), fc.integer({ min: 0, max: 4_194_304 }).map(String)),
    "memory.swappiness": fc.integer({ min: 0, max: 200 }).map(String),
    "hugetlb.2MB.max": fc.integer({ min: 1, max: 1000 }).map((count) => String(count * 2 ** 21)),
  },
  { requiredKeys: [] },
);

describe.each([1, 2] as const)("cgroup v%i", (version) => {
  test("what a limit is spelled as comes out as that limit", () => {
    fc.assert(
      fc.property(limits, (written) => {
        const wanted = Object.fromEntries(
          Object.entries(written).filter(([name, value]) => value !== undefined && spellingOf(name as LimitName, version) !== null),
        ) as Record<string, string>;
        const values = new Map<string, Map<string, string>>();
        for (const [name, value] of Object.entries(wanted)) {
          const settings = spellingOf(name as LimitName, version)?.spell(value, wanted as Limits, () => undefined);
          if (typeof settings === "string" || !settings) continue;
          for (const { file, key, value: text } of settings) values.set(file.name, (values.get(file.name) ?? new Map()).set(key, text));
        }
        const notes: string[] = [];
        const found = limitsOf(values, (note) => notes.push(note), true);
        const canonical = Object.fromEntries(
          Object.entries(found).map(([name, value]) => {
            const parsed = LIMITS[name as LimitName].parse(value) as { ok?: LimitValue };
            return [name, parsed.ok];
          }),
        );
        // Different weights have the same shares: any of them is as good.
        const sharesOf = (weight: unknown): unknown => {
          const spelled = spellingOf("cpu.weight", version)?.spell(String(weight), {}, () => undefined);
          return typeof spelled === "string" ? spelled : spelled?.[0]?.value;
        };
        if (canonical["cpu.weight"] !== undefined) expect(sharesOf(canonical["cpu.weight"])).toBe(sharesOf(wanted["cpu.weight"]));
        expect({ ...canonical, "cpu.weight": undefined }).toEqual({ ...wanted, "cpu.weight": undefined });
        expect(notes).toEqual([]);
      }),
    );
  });
});

test("memory and swap together, disks, and weights that v2 has no number for", () => {
  const notes: string[] = [];
  const values = (all: Record<string, string>) =>
    new Map(Object.entries(all).map(([name, text]) => [name, new Map(kernelFileNamed(name)?.entries(text) ?? [])]));
  const say = (note: string): void => void notes.push(note);
  expect(limitsOf(values({ "memory.limit_in_bytes": "209715200", "memory.memsw.limit_in_bytes": "209715200" }), say)).toEqual({
    "memory.max": "200Mi",
    "memory.swap.max": 0,
  });
  expect(limitsOf(values({ "io.max": "8:0 rbps=max wbps=30000000 riops=max wiops=100\n" }), say)).toEqual({
    "io.max": [{ device: "8:0", wbps: 30000000, wiops: 100 }],
  });
  expect(limitsOf(values({ "blkio.throttle.write_bps_device": "8:0 30000000\n8:16 5\n" }), say)).toEqual({
    "io.max": [
      { device: "8:0", wbps: 30000000 },
      { device: "8:16", wbps: 5 },
    ],
  });
  expect(limitsOf(values({ "cpu.shares": "500" }), say)).toEqual({ "cpu.weight": 49 });
  expect(limitsOf(values({ "cpu.shares": "500" }), say, true)).toEqual({});
  expect(notes).toEqual([expect.stringContaining("comes out as 502"), expect.stringContaining("is left out")]);
});

test.each([
  ["200M", "209715200"],
  ["1k", "1024"],
  ["-1", "-1"],
  ["0-3", "0-3"],
  ["12", "12"],
])("the kernel takes %s for %s", (text, number) => expect(plainNumber(text)).toBe(number));
