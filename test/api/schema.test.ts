import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { LIMIT_NAMES } from "../../src/api/limits.ts";
import { KINDS, type Schema, schemaAt, schemaOf } from "../../src/api/schemas.ts";

test("the committed types are what the schemas generate", async () => {
  const { typesText } = (await import("../../scripts/generate.js" as string)) as { typesText: () => Promise<string> };
  expect(readFileSync("src/api/schema.ts", "utf8")).toBe(await typesText());
});

test("every limit of the schema has a grammar, and the other way round", () => {
  expect(Object.keys(schemaAt("LimitGroup", "/spec/limits")?.schema.properties ?? {}).sort()).toEqual([...LIMIT_NAMES].sort());
});

test("every field is described, and no object takes unknown fields", () => {
  const bare: string[] = [];
  const visit = (schema: Schema, path: string): void => {
    if (!schema.description && !schema.$ref && !path.endsWith("/0")) bare.push(path);
    if (schema.type === "object" && schema.additionalProperties === undefined) bare.push(`${path} is open`);
    for (const [name, field] of Object.entries(schema.properties ?? {})) visit(field, `${path}/${name}`);
    if (schema.items) visit(schema.items, `${path}/0`);
  };
  for (const kind of Object.keys(KINDS) as (keyof typeof KINDS)[]) visit(schemaOf(kind).schema, kind);
  expect(bare).toEqual([]);
});
