/** Knows an audit in the forms that CI systems read: JUnit's XML (one case an object), and SARIF 2.1.0 (one result a finding). */
import type { ObjectKey } from "../api/resource.ts";

export interface Finding {
  readonly rule: "drift" | "pending" | "problem" | "exposure";
  readonly object: ObjectKey | undefined;
  /** For people, in one line. */
  readonly message: string;
  readonly file: string | undefined;
  readonly line: number | undefined;
}

const RULES: Readonly<Record<Finding["rule"], { readonly level: "error" | "warning" | "note"; readonly text: string }>> = {
  drift: { level: "error", text: "The machine moved away from what was applied." },
  pending: { level: "note", text: "The manifests ask for something that was not applied yet." },
  exposure: { level: "error", text: "A process of Holdfast's is more exposed than it may be." },
  problem: { level: "warning", text: "Something is wrong with a manifest, or this host cannot do it." },
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no way to write most of them
const NO_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;
const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;" };
const xml = (text: string): string => text.replaceAll(NO_XML, "\ufffd").replaceAll(/[&<>"\n]/g, (character) => ENTITIES[character] ?? "");

/** What concerns no object is a case of its own. Only drift and problems fail. */
export function junit(objects: Iterable<ObjectKey>, findings: readonly Finding[]): string {
  const cases = new Map<string, Finding[]>([...objects].map((object) => [object, []]));
  for (const finding of findings.filter(({ rule }) => rule !== "pending")) {
    const name = finding.object ?? "Host";
    cases.set(name, [...(cases.get(name) ?? []), finding]);
  }
  const failed = [...cases.values()].filter((found) => found.length > 0).length;
  const lines = [...cases].map(([name, found]) => {
    const failures = found.map(({ rule, message, file, line }) => {
      const place = file === undefined ? "" : `${file}${line === undefined ? "" : `:${line}`}`;
      return `      <failure type="${rule}" message="${xml(message)}">${xml(place)}</failure>`;
    });
    const open = `    <testcase classname="holdfast.audit" name="${xml(name)}"`;
    return failures.length === 0 ? `${open}/>` : [`${open}>`, ...failures, "    </testcase>"].join("\n");
  });
  const suite = `  <testsuite name="holdfast audit" tests="${cases.size}" failures="${failed}">`;
  return ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", suite, ...lines, "  </testsuite>", "</testsuites>"].join("\n");
}

export function sarif(findings: readonly Finding[], version: string): string {
  const location = ({ file, line }: Finding): object[] =>
    file === undefined
      ? []
      : [
          {
            physicalLocation: {
              artifactLocation: { uri: file.split("/").map(encodeURIComponent).join("/") },
              ...(line === undefined ? {} : { region: { startLine: line } }),
            },
          },
        ];
  const rules = Object.entries(RULES).map(([id, { level, text }]) => ({ id, shortDescription: { text }, defaultConfiguration: { level } }));
  const results = findings.map((finding) => ({
    ruleId: finding.rule,
    level: RULES[finding.rule].level,
    message: { text: finding.object === undefined ? finding.message : `${finding.object}: ${finding.message}` },
    locations: location(finding),
  }));
  const driver = { name: "holdfast", semanticVersion: version, rules };
  return JSON.stringify({ $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [{ tool: { driver }, results }] }, null, 2);
}
