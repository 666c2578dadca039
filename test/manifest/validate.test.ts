import { describe, expect, test } from "@jest/globals";
import { group, manifestsOf, problemsOf, workload } from "../support/manifests.ts";

describe("every problem is located, says what was expected and gives a hint", () => {
  test.each([
    ["a misspelled field", group("a", "\n  limts: {}"), "a.yaml:5:3: UnknownField: LimitGroup/a: /spec/limts: expected no such field (did you mean limits?)"],
    [
      "a misspelled limit",
      group("a", "{limits: {memory.mx: 1Gi}}"),
      "a.yaml:4:17: UnknownField: LimitGroup/a: /spec/limits/memory.mx: expected no such field (did you mean memory.max?)",
    ],
    [
      "a v1 file name",
      group("a", "{limits: {cpu.shares: 100}}"),
      "a.yaml:4:17: UnknownField: LimitGroup/a: /spec/limits/cpu.shares: expected no such field (did you mean cpu.weight?)",
    ],
    [
      "a NUL in a cgroup's path",
      group("a", '{cgroupPath: "a/b\\0", limits: {}}'),
      'a.yaml:4:20: InvalidValue: LimitGroup/a: /spec/cgroupPath: expected a path of names, found "a/b\\u0000"',
    ],
    [
      "an expression that may take for ever",
      group("a", '{members: [{cmdline: "(a)\\\\1"}]}'),
      /^a\.yaml:4:\d+: InvalidValue: LimitGroup\/a: \/spec\/members\/0\/cmdline: expected a regular expression: .*linear time/,
    ],
    [
      "a key of a label that no selector can name",
      group("a").replace("{name: a}", '{name: a, labels: {"a b": c}}'),
      "a.yaml:3:30: InvalidValue: LimitGroup/a: /metadata/labels/a b: expected a name of at most 63 letters, digits, -, _ and ., with a letter or digit at both ends, with or without a lower-case DNS name and a slash before it; found a b",
    ],
    [
      "a key of a label whose first part is no DNS name",
      group("a").replace("{name: a}", "{name: a, labels: {a..b/c: d}}"),
      /^a\.yaml:3:30: InvalidValue: LimitGroup\/a: \/metadata\/labels\/a\.\.b~1c: expected a name/,
    ],
    [
      "a key of a label whose DNS name has capital letters",
      group("a").replace("{name: a}", "{name: a, labels: {Example.com/c: d}}"),
      /^a\.yaml:3:30: InvalidValue: LimitGroup\/a: \/metadata\/labels\/Example\.com~1c: expected a name .* with or without a lower-case DNS name/,
    ],
    [
      "a key of an annotation whose DNS name ends with a dash",
      group("a").replace("{name: a}", "{name: a, annotations: {Example-/c: d}}"),
      /^a\.yaml:3:35: InvalidValue: LimitGroup\/a: \/metadata\/annotations\/Example-~1c: expected a name .* with or without a DNS name/,
    ],
    [
      "a value of a label that no selector can name",
      group("a").replace("{name: a}", "{name: a, labels: {team: b c}}"),
      "a.yaml:3:36: InvalidValue: LimitGroup/a: /metadata/labels/team: expected letters, digits, -, _ and ., with a letter or digit at both ends, found b c",
    ],
    [
      "a misspelled word",
      group("a", "{drift: repair}"),
      "a.yaml:4:15: InvalidValue: LimitGroup/a: /spec/drift: expected Repair, Report; found repair (did you mean Repair?)",
    ],
    [
      "a misspelled kind",
      group("a").replace("LimitGroup", "Limitgroup"),
      "a.yaml:2:7: UnknownKind: /kind: expected LimitGroup or Workload, found Limitgroup (did you mean LimitGroup?)",
    ],
    ["another version", group("a").replace("v1alpha1", "v1"), "a.yaml:1:13: UnknownKind: /apiVersion: expected holdfast.dev/v1alpha1, found holdfast.dev/v1"],
    ["no apiVersion", "kind: LimitGroup\nmetadata: {name: a}\n", /^a\.yaml:1:1: MissingField: LimitGroup\/a: expected the field apiVersion/],
    ["no kind", "apiVersion: holdfast.dev/v1alpha1\n", "a.yaml:1:1: MissingField: expected the field kind (one of LimitGroup, Workload)"],
    ["no name", "apiVersion: holdfast.dev/v1alpha1\nkind: LimitGroup\nmetadata: {}\n", /^a\.yaml:3:1: MissingField: \/metadata: expected the field name/],
    ["no command", workload("w", "{}"), /^a\.yaml:4:1: MissingField: Workload\/w: \/spec: expected the field command/],
    [
      "an upper-case name",
      group("Batch"),
      "a.yaml:3:18: InvalidValue: LimitGroup/Batch: /metadata/name: expected lower-case letters, digits and dashes (an RFC 1123 label), found Batch",
    ],
    [
      "a number for text",
      workload("w", "{command: [sleep, 1000]}"),
      'a.yaml:4:25: InvalidValue: Workload/w: /spec/command/1: expected text, found the number 1000 (write "1000" in quotes)',
    ],
    ["text for a list", workload("w", "{command: sleep}"), "a.yaml:4:17: InvalidValue: Workload/w: /spec/command: expected a list, found the string sleep"],
    [
      "a weight out of range",
      group("a", "{limits: {cpu.weight: 20000}}"),
      "a.yaml:4:29: InvalidValue: LimitGroup/a: /spec/limits/cpu.weight: expected at most 10000, found 20000",
    ],
    [
      "milli-bytes",
      group("a", "{limits: {memory.max: 200m}}"),
      "a.yaml:4:29: InvalidLimit: LimitGroup/a: /spec/limits/memory.max: expected bytes, and m means one thousandth, found 200m (write 200Mi or 200M)",
    ],
    ["a blank limit", group("a", '{limits: {memory.max: " "}}'), /InvalidLimit.*memory\.max: expected a quantity/],
    ["2^64 bytes", group("a", '{limits: {memory.max: "18446744073709551616"}}'), /InvalidLimit.*wrap it around to a small number.*write max/],
    [
      "iops above 2^32-1",
      group("a", "{limits: {io.max: [{device: /dev/sda, riops: 4294967296}]}}"),
      /InvalidLimit.*io\.max: expected riops: a number from 2 to 4294967295/,
    ],
    ["a rate of 1", group("a", "{limits: {io.max: [{device: /dev/sda, wbps: 1}]}}"), /at least 2 bytes per second/],
    ["a device twice", group("a", "{limits: {io.max: [{device: /dev/sda}, {device: /dev/sda}]}}"), /each device once/],
    ["no device", group("a", "{limits: {io.max: [{device: sda}]}}"), /a device such as \/dev\/sda/],
    ["burst above quota", group("a", "{limits: {cpu.max: 20%, cpu.max.burst: 30ms}}"), /cpu\.max\.burst: expected at most the quota of cpu\.max \(20ms\)/],
    ["weight of an idle group", group("a", "{limits: {cpu.idle: true, cpu.weight: 5}}"), /cpu\.weight: expected nothing beside cpu\.idle: true/],
    ["a reserved name", group("tasks"), /tasks is a kernel file/],
    ["a relative directory", workload("w", "{command: [x], workingDir: srv}"), /workingDir: expected an absolute path, found srv/],
    ["a bad duration", workload("w", "{command: [x], backoff: {initial: 10}}"), /backoff\/initial: expected text/],
    ["a duration without unit", workload("w", '{command: [x], backoff: {initial: "10"}}'), /backoff\/initial: expected a duration.*write a unit: 10ms or 10s/],
    ["a list at the top", "- a\n- b\n", /expected a mapping with apiVersion/],
    ["a lone word", "hello\n", /expected a mapping/],
    ["a NUL in an argument", workload("w", '{command: ["a\\0b"]}'), /expected text without NUL characters/],
  ])("%s", (_, text, expected) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    if (typeof expected === "string") expect(problems[0]).toBe(expected);
    else expect(problems[0]).toMatch(expected);
  });

  test("all problems of all files come at once", () => {
    const { problems } = manifestsOf({
      "a.yaml": `${group("a", "{limts: {}, frozen: 3}")}---\n${group("b", "{limits: {memory.max: x}}")}`,
      "b.yaml": "a: [",
      "c.yaml": workload("w", "{command: []}"),
    });
    expect(problems.map(({ file, line, reason }) => `${file}:${line} ${reason}`)).toEqual([
      "a.yaml:4 UnknownField",
      "a.yaml:4 InvalidValue",
      "a.yaml:9 InvalidLimit",
      "b.yaml:1 YAMLSyntax",
      "c.yaml:4 InvalidValue",
    ]);
  });
});

test("every default is filled in", () => {
  const { resources } = manifestsOf({ "a.yaml": `${group("g")}---\n${workload("w", "{command: [sleep], args: ['5']}")}` });
  expect(resources.get("LimitGroup/g")).toMatchObject({ limits: {}, frozen: false, drift: "Repair", parent: undefined });
  expect(resources.get("Workload/w")).toMatchObject({
    run: {
      replicas: 1,
      argv: ["sleep", "5"],
      env: [],
      workingDir: "/",
      restartPolicy: "Always",
      backoff: { initial: 10_000, factor: 2, max: 300_000, resetAfter: 600_000 },
      gracePeriodSeconds: 30,
      stopSignal: "SIGTERM",
      logs: { maxBytes: 10 * 1024 * 1024, maxFiles: 5 },
    },
  });
});

test("amounts are checked beside what the schema finds; hints are never what is refused", () => {
  const spec =
    '{command: [x], replicas: -1, stopSignal: TERM, backoff: {initial: "5", max: 1x, resetAfter: 5}, limits: {memory.max: true, pids.max: .inf, cpu.max.burst: -1, memory.high: "5 ", io.weight: "a\\nb"}}';
  const lines = problemsOf(workload("w", spec));
  const at = (pointer: string): string => lines.find((line) => line.includes(`/spec/${pointer}: `)) ?? `nothing at ${pointer} in ${lines.join("\n")}`;
  expect(at("replicas")).toContain("at least 0");
  expect(at("stopSignal")).toContain("did you mean SIGTERM?");
  expect(at("backoff/initial")).toContain("write a unit: 5ms or 5s");
  expect(at("backoff/max")).toContain("found 1x");
  expect(at("backoff/resetAfter")).not.toContain("in quotes");
  expect(at("limits/memory.max")).not.toContain("in quotes");
  expect(at("limits/pids.max")).not.toContain("null");
  expect(at("limits/cpu.max.burst")).not.toContain("-1ms");
  expect(at("limits/memory.high")).toContain('found "5 " (write 5)');
  expect(at("limits/io.weight")).toContain('"a\\nb"');
});
