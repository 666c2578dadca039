import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { openSimulatedHost } from "../../src/host/host.ts";
import { amendDesired } from "../../src/plan/amend.ts";
import { desire, mentions } from "../../src/plan/desire.ts";
import { group, manifestsOf, workload } from "../support/manifests.ts";

const common = fc.constantFrom(
  "pids.max: 5",
  "pids.max: 6",
  "pids.max: max",
  "memory.max: 1Mi",
  "memory.max: 2Mi",
  "cpu.max: 10%",
  "cpu.weight: 7",
  "cpu.weight: 9",
);
const awkward = fc.constantFrom("memory.swap.max: 0", "cpuset.cpus: '0'", "memory.high: 1Mi", "memory.swappiness: 5", "io.max: [{device: /dev/no, rbps: 5}]");
const limits = fc.uniqueArray(fc.oneof({ arbitrary: common, weight: 30 }, { arbitrary: awkward, weight: 1 }), {
  selector: (text) => text.split(":")[0],
  minLength: 1,
  maxLength: 3,
});
const tree = fc.tuple(limits, limits, limits);
const texts = ([outer, inner, own]: readonly string[][]): Record<string, string> => ({
  "outer.yaml": group("outer", `{limits: {${outer?.join(", ")}}}`),
  "inner.yaml": group("inner", `{parentRef: {name: outer}, limits: {${inner?.join(", ")}}}`),
  "w.yaml": workload("w", `{command: [x], limitGroupRef: {name: inner}, limits: {${own?.join(", ")}}}`),
});

test.each([1, 2] as const)("the short way after an edit says what the long way says, on cgroup v%i", (version) => {
  const host = openSimulatedHost("holdfast", version);
  let amended = 0;
  try {
    fc.assert(
      fc.property(tree, tree, fc.constantFrom("outer", "inner", "w"), (before, after, edited) => {
        const old = texts(before);
        const files = { ...old, [`${edited}.yaml`]: texts(after)[`${edited}.yaml`] ?? "" };
        const was = manifestsOf(old);
        const read = manifestsOf(files);
        // Objects that were not edited keep their identity, as they do when one file is read again.
        const is = {
          ...read,
          resources: new Map([...read.resources].map(([key, resource]) => [key, key.endsWith(`/${edited}`) ? resource : (was.resources.get(key) ?? resource)])),
        };
        const machine = host.machine(mentions(is.resources.values()));
        const edits = [...is.resources.values()].flatMap((resource) => {
          const old = was.resources.get(resource.key);
          return resource.name === edited && old ? [{ before: old, after: resource }] : [];
        });
        const desired = desire(was, machine);
        const short = amendDesired(desired, is, edits, machine);
        if (!short) return expect(desired).toEqual(desire(was, machine));
        amended++;
        expect(short.desired).toEqual(desire(is, machine));
        expect(short.cgroups.map(({ owner }) => owner)).toEqual(edits.map(({ after }) => after));
        // What is not touched has the settings that it had.
        const long = desire(was, machine);
        for (const { path, settings } of short.cgroups) {
          const touched = new Set([...(short.touched.get(path)?.values() ?? [])].flatMap((files) => [...files]));
          const old = long.cgroups.get(path)?.settings ?? new Map();
          for (const file of new Set([...settings.keys(), ...old.keys()])) if (!touched.has(file)) expect(settings.get(file)).toEqual(old.get(file));
        }
      }),
      { numRuns: 600 },
    );
  } finally {
    host.simulated.remove();
  }
  expect(amended).toBeGreaterThan(20);
});
