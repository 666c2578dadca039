/** Audits for CI systems. */
import { expect, test } from "@jest/globals";
import { type Finding, junit, sarif } from "../../src/cli/auditReports.ts";

const FINDINGS: readonly Finding[] = [
  { rule: "drift", object: "LimitGroup/batch", message: 'pids.max 41 → 40 <"&">\n\u0007', file: "manifests/a b.yaml", line: 4 },
  { rule: "drift", object: "LimitGroup/batch", message: "cpu.max", file: undefined, line: undefined },
  { rule: "pending", object: "Workload/web", message: "start web@0", file: "manifests/a b.yaml", line: 9 },
  { rule: "problem", object: undefined, message: "no directory", file: "manifests", line: undefined },
];

test("JUnit: a case for each object, failed by drift and problems, not by what is pending", () => {
  expect(junit(["LimitGroup/batch", "Workload/web"], FINDINGS)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="holdfast audit" tests="3" failures="2">
    <testcase classname="holdfast.audit" name="LimitGroup/batch">
      <failure type="drift" message="pids.max 41 → 40 &lt;&quot;&amp;&quot;&gt;&#10;\ufffd">manifests/a b.yaml:4</failure>
      <failure type="drift" message="cpu.max"></failure>
    </testcase>
    <testcase classname="holdfast.audit" name="Workload/web"/>
    <testcase classname="holdfast.audit" name="Host">
      <failure type="problem" message="no directory">manifests</failure>
    </testcase>
  </testsuite>
</testsuites>`);
  expect(junit([], [])).toContain('tests="0" failures="0"');
});

test("SARIF: a result for each finding, with its rule, level and place", () => {
  const { version, runs } = JSON.parse(sarif(FINDINGS, "1.2.3"));
  expect([version, runs.length, runs[0].tool.driver.semanticVersion]).toEqual(["2.1.0", 1, "1.2.3"]);
  const ids = runs[0].tool.driver.rules.map(({ id }: { id: string }) => id);
  for (const { ruleId } of runs[0].results) expect(ids).toContain(ruleId);
  expect(runs[0].results[0]).toEqual({
    ruleId: "drift",
    level: "error",
    message: { text: 'LimitGroup/batch: pids.max 41 → 40 <"&">\n\u0007' },
    locations: [{ physicalLocation: { artifactLocation: { uri: "manifests/a%20b.yaml" }, region: { startLine: 4 } } }],
  });
  expect(runs[0].results.map(({ level, locations }: { level: string; locations: unknown[] }) => [level, locations.length])).toEqual([
    ["error", 1],
    ["error", 0],
    ["note", 1],
    ["warning", 1],
  ]);
});
