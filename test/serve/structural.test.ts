import { describe, expect, test } from "@jest/globals";
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

describe.each(["LimitGroup", "Workload"] as const)("%s", (kind) => {
  test("is structural", () => expect(flaws(structuralOf(kind))).toEqual([]));
  test("knows the fields of the schema", () => {
    const spec = structuralOf(kind).properties?.["spec"]?.properties ?? {};
    expect(Object.keys(spec)).toContain("limits");
    expect(Object.keys(spec["limits"]?.properties ?? {})).toContain("memory.max");
  });
});
