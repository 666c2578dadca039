import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Resource } from "../../src/api/resource.ts";
import { group, manifestsOf, workload } from "../support/manifests.ts";

const inForce = (manifests: ReturnType<typeof manifestsOf>): string[] => [...manifests.resources.keys()].sort();

describe("references", () => {
  test("to nothing are problems with a suggestion, and hold pruning", () => {
    const manifests = manifestsOf({ "a.yaml": `${group("batch")}---\n${workload("w", "{command: [x], limitGroupRef: {name: bacth}}")}` });
    expect(manifests.problems).toEqual([expect.objectContaining({ reason: "ReferenceNotFound", line: 9, hint: "did you mean batch?" })]);
    expect(inForce(manifests)).toEqual(["LimitGroup/batch"]);
    expect(manifests.held).toBe(true);
  });

  test("in a circle are said as a path", () => {
    const manifests = manifestsOf({
      "a.yaml": [group("a", "{parentRef: {name: b}}"), group("b", "{parentRef: {name: c}}"), group("c", "{parentRef: {name: a}}"), group("d")].join("---\n"),
    });
    expect(manifests.problems.map(({ message }) => message)).toContain("expected a tree, found the cycle a → b → c → a");
    expect(manifests.problems).toHaveLength(3);
    expect(inForce(manifests)).toEqual(["LimitGroup/d"]);
  });
});

test("a member of a circle that is brought back to what it was closes no other circle", () => {
  const before = manifestsOf({ "a.yaml": `${group("a")}---\n${group("b", "{parentRef: {name: a}}")}` });
  const after = manifestsOf({ "a.yaml": `${group("b", "{parentRef: {name: b}}")}---\n${group("a", "{parentRef: {name: b}}")}` }, before);
  expect([...after.resources.values()].map(({ name, parent }) => `${parent ?? ""}/${name}`).sort()).toEqual(["/a", "a/b"]);
  expect(after.problems.map(({ message }) => message)).toEqual(
    expect.arrayContaining([expect.stringContaining("b → b"), expect.stringMatching(/a → b → a|b → a → b/)]),
  );
});

const NAMES = ["a", "b", "c", "d"] as const;
/** Groups, each inside of another one or not, and workloads that wait for each other. */
const anyManifest = fc
  .record({
    groups: fc.uniqueArray(fc.record({ name: fc.constantFrom(...NAMES), parent: fc.option(fc.constantFrom(...NAMES)) }), { selector: ({ name }) => name }),
    workloads: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom(...NAMES),
        after: fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 2 }),
        group: fc.option(fc.constantFrom(...NAMES)),
      }),
      { selector: ({ name }) => name },
    ),
  })
  .map(({ groups, workloads }) =>
    [
      ...groups.map(({ name, parent }) => group(name, parent === null ? "{}" : `{parentRef: {name: ${parent}}}`)),
      ...workloads.map((one) =>
        workload(
          one.name,
          `{command: [x]${one.after.length > 0 ? `, dependsOn: [${one.after.map((name) => `{name: ${name}}`).join(", ")}]` : ""}${one.group === null ? "" : `, limitGroupRef: {name: ${one.group}}`}}`,
        ),
      ),
    ].join("---\n"),
  );

test("whatever is written after whatever was in force: what is in force has no circle, and nothing that it refers to is missing", () => {
  fc.assert(
    fc.property(fc.array(anyManifest, { minLength: 1, maxLength: 4 }), (texts) => {
      let manifests = manifestsOf({});
      for (const text of texts) {
        manifests = manifestsOf({ "a.yaml": text }, manifests);
        const { resources } = manifests;
        const above = (resource: Resource): readonly (Resource | undefined)[] => [
          ...(resource.parent === undefined ? [] : [resources.get(`LimitGroup/${resource.parent}`)]),
          ...(resource.kind === "Workload" ? resource.run.dependsOn.map(({ name }) => resources.get(`Workload/${name}`)) : []),
        ];
        for (const start of resources.values()) {
          let level: readonly Resource[] = [start];
          for (let steps = 0; level.length > 0; steps++) {
            expect(steps).toBeLessThanOrEqual(resources.size);
            const next = level.flatMap((resource) => above(resource));
            expect(next).not.toContain(undefined);
            level = [...new Set(next)] as Resource[];
          }
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("a group that is brought back for what refers to it makes no circle with it", () => {
  const before = manifestsOf({ "a.yaml": `${group("top")}---\n${group("low", "{parentRef: {name: top}}")}` });
  const after = manifestsOf({ "a.yaml": group("top", "{parentRef: {name: low}}") }, before);
  expect(after.problems.map(({ reason }) => reason)).toContain("ReferenceNotFound");
  expect([...after.resources.values()].map(({ name, parent }) => `${parent ?? ""}/${name}`).sort()).toEqual(["/top", "top/low"]);
});

test("groups nested deeper than the kernel's paths are long are a problem, not a crash", () => {
  const name = (level: number): string => `g${level}`.padEnd(60, "x");
  const chain = Array.from({ length: 70 }, (_, level) => group(name(level), level === 0 ? "{}" : `{parentRef: {name: ${name(level - 1)}}}`));
  const manifests = manifestsOf({ "a.yaml": chain.join("---\n") });
  expect(manifests.problems[0]).toMatchObject({ reason: "InvalidValue", pointer: "/spec/parentRef/name", message: expect.stringContaining("at most 3500") });
  expect(manifests.problems).toHaveLength(1);
  expect(manifests.resources.size).toBe(57);
});

test("a chain of any length is walked, not climbed", () => {
  const chain = Array.from({ length: 20_000 }, (_, level) => group(`g${level}`, `{parentRef: {name: g${level + 1}}}`));
  const files = Object.fromEntries(Array.from({ length: 10 }, (_, part) => [`${part}.yaml`, chain.slice(part * 2000, (part + 1) * 2000).join("---\n")]));
  const { problems, resources } = manifestsOf({ ...files, "z.yaml": group("g20000") });
  expect(problems.map(({ reason }) => reason)).toEqual(["InvalidValue"]);
  expect(resources.size).toBeLessThan(1000);
  expect(manifestsOf({ ...files, "z.yaml": group("g20000", "{parentRef: {name: g0}}") }).problems).toHaveLength(20_001);
});

test("all that is wrong is told at once: also what a broken document refers to", () => {
  const { problems } = manifestsOf({
    "a.yaml": workload("w", "{command: [x], replicass: 2, limitGroupRef: {name: bath}, dependsOn: [{name: no}]}"),
    "b.yaml": `${group("g", "{pids.mx: 5, parentRef: {name: batch}}")}---\n${group("batch")}`,
  });
  expect(problems.map(({ reason, object, hint }) => `${reason} ${object} ${hint ?? ""}`)).toEqual([
    "UnknownField Workload/w did you mean replicas?",
    expect.stringMatching(/^UnknownField LimitGroup\/g/),
    "ReferenceNotFound Workload/w did you mean batch?",
    "ReferenceNotFound Workload/w ",
  ]);
});

describe("a broken manifest never looks like a deleted one", () => {
  const good = { "a.yaml": `${group("a", "{limits: {pids.max: 5}}")}---\n${group("b")}`, "b.yaml": workload("w", "{command: [x], limitGroupRef: {name: a}}") };
  const before = manifestsOf(good);

  test.each([
    ["a document that is no YAML", { ...good, "a.yaml": `a: [\n---\n${group("b")}` }],
    ["a value that is wrong", { ...good, "a.yaml": `${group("a", "{limits: {pids.max: none}}")}---\n${group("b")}` }],
    ["a file that is no text", { ...good, "a.yaml": "\0" }],
    ["a name twice", { ...good, "c.yaml": group("a", "{limits: {pids.max: 9}}") }],
    ["a group that is gone while it is used", { ...good, "a.yaml": group("b") }],
    [
      "a broken document, and another of its name",
      { ...good, "a.yaml": `${group("a", "{limts: {}}")}---\n${group("b")}`, "c.yaml": group("a", "{limits: {pids.max: 9}}") },
    ],
    ["a broken file, and what stood in it in another", { ...good, "a.yaml": `a: [\n---\n${group("b")}`, "c.yaml": group("a", "{limits: {pids.max: 9}}") }],
    ["a cycle", { ...good, "a.yaml": `${group("a", "{parentRef: {name: a}}")}---\n${group("b")}` }],
  ])("%s", (_, files) => {
    const after = manifestsOf(files, before);
    expect(after.held).toBe(true);
    expect(after.problems.length).toBeGreaterThan(0);
    expect(inForce(after)).toEqual(inForce(before));
    expect(after.resources.get("LimitGroup/a")?.limits).toEqual({ "pids.max": "5" });
  });

  test("a directory that is gone keeps what was below it", () => {
    const { problems } = manifestsOf({ "x.yaml": "\0" });
    const deep = manifestsOf({ "m/sub/a.yaml": group("a") });
    expect(problems).toHaveLength(1);
    const after = manifestsOf({ m: "\0" }, deep);
    expect(inForce(after)).toEqual(["LimitGroup/a"]);
  });

  test("and what is really gone is gone", () => {
    const after = manifestsOf({ "a.yaml": good["a.yaml"] }, before);
    expect(inForce(after)).toEqual(["LimitGroup/a", "LimitGroup/b"]);
    expect(after.held).toBe(false);
  });
});

test("a duplicate name names both places", () => {
  const { problems } = manifestsOf({ "a.yaml": group("a"), "b.yaml": `\n\n${group("a")}` });
  expect(problems.map(({ file, line, message }) => `${file}:${line} ${message}`)).toEqual([
    "a.yaml:3 expected one LimitGroup/a, found another at b.yaml:5",
    "b.yaml:5 expected one LimitGroup/a, found another at a.yaml:3",
  ]);
  const broken = manifestsOf({ "a.yaml": group("a"), "b.yaml": group("a", "{limts: {}}") }).problems.filter(({ reason }) => reason === "DuplicateName");
  expect(broken.map(({ file }) => file).sort()).toEqual(["a.yaml", "b.yaml"]);
});
