import { describe, expect, test } from "@jest/globals";
import { RE2JS } from "re2js";
import { type Structural, structuralOf } from "../../src/serve/structural.ts";

/** What apiextensions.k8s.io/v1 asks of a structural schema (Kubernetes' "CustomResourceDefinitions", "Specifying a structural schema"). */
function flaws(schema: Structural, path = ""): string[] {
  const { type, properties, additionalProperties, items } = schema;
  const anything = schema["x-kubernetes-preserve-unknown-fields"] === true || schema["x-kubernetes-int-or-string"] === true;
  const allowed = new Set(
    "description type properties additionalProperties items required enum pattern minLength maxLength minItems maxItems minProperties maxProperties minimum maximum format x-kubernetes-preserve-unknown-fields x-kubernetes-int-or-string".split(
      " ",
    ),
  );
  return [
    ...Object.keys(schema).flatMap((keyword) => (allowed.has(keyword) ? [] : [`${path}: ${keyword} is not allowed`])),
    ...(type === undefined && !anything ? [`${path}: no type`] : []),
    ...(type !== undefined && !["object", "array", "string", "integer", "number", "boolean"].includes(type) ? [`${path}: ${type}`] : []),
    ...(properties && additionalProperties ? [`${path}: properties exclude additionalProperties`] : []),
    ...(type === "array" && !items ? [`${path}: no items`] : []),
    ...Object.entries(properties ?? {}).flatMap(([name, one]) => flaws(one, `${path}.${name}`)),
    ...(additionalProperties ? flaws(additionalProperties, `${path}.*`) : []),
    ...(items ? flaws(items, `${path}[]`) : []),
  ];
}

/** Every pattern, with where it stands. */
const patterns = (schema: unknown, path = ""): (readonly [path: string, pattern: string])[] =>
  Object.entries(schema ?? {}).flatMap(([name, value]) =>
    name === "pattern" && typeof value === "string" ? [[path, value] as const] : typeof value === "object" ? patterns(value, `${path}.${name}`) : [],
  );
/** Texts that patterns may be of two minds about. */
const TEXTS = [
  "",
  "a",
  "a-b",
  "-a",
  "/a b",
  "/a\0b",
  "a\0",
  "a\tb",
  "a\u00a0b",
  "a\u3000b",
  "é",
  "\u0080",
  "\u00ff",
  "\u0100",
  "\n",
  "/\n",
  "a\n",
  "25%",
  "0%",
  "100%",
  "journald",
  "[::1]",
  "0027",
  "😀",
];

describe.each(["LimitGroup", "Workload"] as const)("%s", (kind) => {
  test("is structural", () => expect(flaws(structuralOf(kind))).toEqual([]));
  test("has patterns that a Kubernetes API server, which takes RE2's, reads alike", () => {
    for (const [path, pattern] of patterns(structuralOf(kind))) {
      const [theirs, ours] = [RE2JS.compile(pattern), new RegExp(pattern, "u")];
      const told = (matches: (text: string) => boolean): string[] => TEXTS.filter(matches).map((text) => `${path} ${JSON.stringify(text)}`);
      expect(told((text) => theirs.matcher(text).find())).toEqual(told((text) => ours.test(text)));
    }
  });
  test("keeps the bounds of what is written as a number or as text", () => {
    const bounded = kind === "LimitGroup" ? ["limits", "pids.max"] : ["user"];
    const found = bounded.reduce((here, name) => here?.properties?.[name], structuralOf(kind).properties?.["spec"]);
    expect(found).toMatchObject({ "x-kubernetes-int-or-string": true, minimum: 0, maximum: expect.any(Number) });
  });
  test("knows the fields of the schema", () => {
    const spec = structuralOf(kind).properties?.["spec"]?.properties ?? {};
    expect(Object.keys(spec)).toContain("limits");
    expect(Object.keys(spec["limits"]?.properties ?? {})).toContain("memory.max");
  });
});
