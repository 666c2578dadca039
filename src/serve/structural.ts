/** Knows the schemas of the kinds in the dialect of OpenAPI that Kubernetes takes ("structural schemas", CustomResourceDefinitions): no references, no unions of types. */
import type { Kind } from "../api/resource.ts";
import { type Located, type Schema, schemaOf, schemaOfField } from "../api/schemas.ts";

export interface Structural {
  readonly description?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Structural>>;
  readonly additionalProperties?: Structural;
  readonly items?: Structural;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly [keyword: string]: unknown;
}

/** Keywords that mean the same; patterns as far as RE2 knows them, too. */
const ALIKE = ["pattern", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum"] as const;

/** Anything, where a type is not one. */
const ANYTHING = { "x-kubernetes-preserve-unknown-fields": true };
const NUMBERS = new Set(["integer", "number"]);

/** `above`: the objects that it is inside of. One that contains itself is anything from there on. */
function structural(located: Located, above: readonly unknown[] = []): Structural {
  const { schema } = located;
  const inside = (field: string): Structural => structural(below(located, field), [...above, schema.properties]);
  const full = schema as Schema & Readonly<Record<string, unknown>>;
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  const description = schema.description === undefined ? {} : { description: schema.description };
  const kept = Object.fromEntries(ALIKE.flatMap((name) => (full[name] === undefined ? [] : [[name, full[name]]])));
  const values = schema.const === undefined ? schema.enum : [schema.const];
  if (values) return { ...description, type: typeof values[0], enum: values };
  if (types.length > 1) {
    const others = types.filter((type) => type !== "string" && !NUMBERS.has(type));
    // Written as a number or as a text with a unit.
    if (others.length === 0 && types.includes("string") && types.includes("integer") && !types.includes("number"))
      return { ...description, ...kept, "x-kubernetes-int-or-string": true };
    return { ...description, ...ANYTHING };
  }
  const [type] = schema.properties && above.includes(schema.properties) ? [] : types;
  if (type === undefined) return { ...description, ...ANYTHING };
  if (type === "array") return { ...description, ...kept, type, items: schema.items ? inside("0") : ANYTHING };
  if (type !== "object") return { ...description, ...kept, type };
  if (schema.properties)
    return {
      ...description,
      ...kept,
      type,
      ...(schema.required ? { required: schema.required } : {}),
      properties: Object.fromEntries(Object.keys(schema.properties).map((name) => [name, inside(name)])),
    };
  if (typeof schema.additionalProperties === "object") return { ...description, ...kept, type, additionalProperties: inside("*") };
  return { ...description, ...kept, type, ...ANYTHING };
}

const below = (parent: Located, field: string): Located => schemaOfField(parent, field) ?? { schema: {}, file: parent.file };

/** What is written into status; Holdfast alone writes it. */
const STATUS: Structural = {
  description: "What Holdfast has found and done: conditions, drift, members, replicas.",
  type: "object",
  properties: {
    observedGeneration: { description: "The generation of the spec that this is about.", type: "integer" },
    conditions: {
      description: "Ready, and what else there is to say, with Kubernetes' fields.",
      type: "array",
      items: {
        type: "object",
        required: ["type", "status"],
        properties: {
          type: { type: "string" },
          status: { type: "string", enum: ["True", "False", "Unknown"] },
          reason: { type: "string" },
          message: { type: "string" },
          observedGeneration: { type: "integer" },
          lastTransitionTime: { type: "string", format: "date-time" },
        },
      },
    },
    cgroup: { description: "Path below the root cgroup.", type: "string" },
  },
  ...ANYTHING,
};

const kinds = new Map<Kind, Structural>();

/** The schema of a kind; worked out once. */
export function structuralOf(kind: Kind): Structural {
  const known = kinds.get(kind) ?? make(kind);
  kinds.set(kind, known);
  return known;
}

function make(kind: Kind): Structural {
  const root = schemaOf(kind);
  const spec = schemaOfField(root, "spec");
  const metadata = schemaOfField(root, "metadata");
  return {
    description: root.schema.description ?? kind,
    type: "object",
    ...(root.schema.required?.includes("spec") ? { required: ["spec"] } : {}),
    properties: {
      apiVersion: { type: "string", description: "Version of this schema: holdfast.dev/v1alpha1." },
      kind: { type: "string", description: `${kind}.` },
      metadata: metadata ? structural(metadata) : { type: "object" },
      ...(spec ? { spec: structural(spec) } : {}),
      status: STATUS,
    },
  };
}
