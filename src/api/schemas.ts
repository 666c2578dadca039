/** Knows the JSON Schemas as data: which fields there are, what they mean, for explain and for suggestions. */
import limitGroupSchema from "../../schemas/limitgroup.schema.json" with { type: "json" };
import limitsSchema from "../../schemas/limits.schema.json" with { type: "json" };
import workloadSchema from "../../schemas/workload.schema.json" with { type: "json" };
import type { Kind } from "./resource.ts";

/** The part of JSON Schema that the schemas use. */
export interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly pattern?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const FILES: Readonly<Record<string, Schema>> = {
  "limits.schema.json": limitsSchema as Schema,
  "limitgroup.schema.json": limitGroupSchema as Schema,
  "workload.schema.json": workloadSchema as Schema,
};

export const KINDS: Readonly<Record<Kind, string>> = { LimitGroup: "limitgroup.schema.json", Workload: "workload.schema.json" };
export const API_VERSION = "holdfast.dev/v1alpha1";

/** A schema and the file that its local references are relative to. */
export interface Located {
  readonly schema: Schema;
  readonly file: string;
}

function resolve(schema: Schema, file: string): Located {
  if (schema.$ref === undefined) return { schema, file };
  const [other, path = ""] = schema.$ref.split("#");
  const target = other || file;
  let found: Schema = FILES[target] ?? {};
  for (const part of path.split("/").slice(1)) found = (found as Record<string, Schema>)[part] ?? {};
  const { $ref: _, ...beside } = schema;
  // Keywords beside $ref (a description) speak about this use and win over the definition's.
  return resolve({ ...found, ...beside }, target);
}

/** The schema of a kind as a whole. */
export function schemaOf(kind: Kind): Located {
  return resolve({ $ref: KINDS[kind] }, KINDS[kind]);
}

/** The schema of one field below another; array indexes and free map keys are steps too. */
export function schemaOfField(parent: Located, field: string): Located | undefined {
  const { schema, file } = parent;
  if (schema.items && /^\d+$/.test(field)) return resolve(schema.items, file);
  const property = schema.properties?.[field];
  if (property) return resolve(property, file);
  if (typeof schema.additionalProperties === "object") return resolve(schema.additionalProperties, file);
  return undefined;
}

/** The schema at a JSON pointer of a manifest, or undefined where the schema has no such field. */
export function schemaAt(kind: Kind, pointer: string): Located | undefined {
  let here: Located | undefined = schemaOf(kind);
  for (const part of pointerParts(pointer)) here = here && schemaOfField(here, part);
  return here;
}

/** `/spec/limits/cpu.max` to its parts (RFC 6901). */
export function pointerParts(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** One part of a JSON pointer, escaped (RFC 6901). */
export function pointerPart(part: string | number): string {
  return String(part).replaceAll("~", "~0").replaceAll("/", "~1");
}
