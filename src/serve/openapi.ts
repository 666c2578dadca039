/** Knows the OpenAPI documents that `kubectl explain` reads: version 3 as JSON, and version 2 for older ones, which take it as protobuf alone. */
import { createHash } from "node:crypto";
import type { Kind } from "../api/resource.ts";
import { type Answer, failure, json, type Question } from "./answer.ts";
import { LIMIT_GROUPS, OWN, type ServedKind } from "./kinds.ts";
import { type Structural, structuralOf } from "./structural.ts";

const GROUP_PATH = `apis/${LIMIT_GROUPS.group}/${LIMIT_GROUPS.version}`;
const INFO = { title: "Holdfast", version: LIMIT_GROUPS.version };

/** `dev.holdfast.v1alpha1.LimitGroup` */
const schemaName = ({ group, version, kind }: ServedKind): string => `${group.split(".").reverse().join(".")}.${version}.${kind}`;
const schemaOf = ({ group, version, kind }: ServedKind): Structural => ({
  ...structuralOf(kind as Kind),
  "x-kubernetes-group-version-kind": [{ group, version, kind }],
});

function document(): Readonly<Record<string, unknown>> {
  const operation = (kind: ServedKind, action: string, name: string) => ({
    operationId: `${action}${kind.kind}`,
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group: kind.group, version: kind.version, kind: kind.kind },
    responses: { 200: { description: "OK", content: { "application/json": { schema: { $ref: `#/components/schemas/${name}` } } } } },
  });
  return {
    openapi: "3.0.0",
    info: INFO,
    paths: Object.fromEntries(
      OWN.flatMap((kind) => [
        [`/${GROUP_PATH}/${kind.plural}`, { get: operation(kind, "list", schemaName(kind)) }],
        [`/${GROUP_PATH}/${kind.plural}/{name}`, { get: operation(kind, "get", schemaName(kind)) }],
      ]),
    ),
    components: { schemas: Object.fromEntries(OWN.map((kind) => [schemaName(kind), schemaOf(kind)])) },
  };
}

const made = new Map<string, Answer>();

/** What is made from schemas alone is made once. */
function once(name: string, make: () => Answer): Answer {
  const known = made.get(name) ?? make();
  made.set(name, known);
  return known;
}

function index(): Answer {
  const hash = createHash("sha256").update(JSON.stringify(document())).digest("hex").slice(0, 32).toUpperCase();
  return json({ paths: { [GROUP_PATH]: { serverRelativeURL: `/openapi/v3/${GROUP_PATH}?hash=${hash}` } } });
}

const swagger = (): Answer =>
  json({ swagger: "2.0", info: INFO, paths: {}, definitions: Object.fromEntries(OWN.map((kind) => [schemaName(kind), schemaOf(kind)])) });
const swaggerBytes = (): Answer => ({ code: 200, type: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", body: swaggerProtobuf() });

/** Undefined: the path is none of these. */
export function openapi({ path, headers }: Question): Answer | undefined {
  if (path === "/openapi/v3") return once("index", index);
  if (path === `/openapi/v3/${GROUP_PATH}`) return once("v3", () => json(document()));
  if (path !== "/openapi/v2") return undefined;
  const accept = String(headers.accept ?? "");
  if (accept.includes("proto-openapi.spec.v2")) return once("v2 protobuf", swaggerBytes);
  if (accept !== "" && !/application\/json|\*\/\*/.test(accept)) return failure("NotAcceptable", "OpenAPI version 2 is served as JSON and as protobuf");
  return once("v2", swagger);
}

// Protocol buffers, as far as a schema needs them: fields of bytes, each with its number (protobuf.dev, "Encoding"); the numbers are those of gnostic's OpenAPIv2.proto.

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

function field(number: number, content: string | Buffer): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
}

/** NamedSchema, and NamedAny. */
const named = (name: string, value: Buffer): Buffer => Buffer.concat([field(1, name), field(2, value)]);

function schemaBytes({ description, type, properties, items, additionalProperties, required = [], ...rest }: Structural): Buffer {
  const kinds = rest["x-kubernetes-group-version-kind"];
  return Buffer.concat([
    ...(description === undefined ? [] : [field(4, description)]),
    ...required.map((name) => field(19, name)),
    ...(additionalProperties ? [field(21, field(1, schemaBytes(additionalProperties)))] : []),
    ...(type === undefined ? [] : [field(22, field(1, type))]),
    ...(items ? [field(23, field(1, schemaBytes(items)))] : []),
    ...(properties ? [field(25, Buffer.concat(Object.entries(properties).map(([name, one]) => field(1, named(name, schemaBytes(one))))))] : []),
    ...(kinds ? [field(31, named("x-kubernetes-group-version-kind", field(2, JSON.stringify(kinds))))] : []),
  ]);
}

/** openapi.v2.Document. */
function swaggerProtobuf(): Buffer {
  const definitions = Buffer.concat(OWN.map((kind) => field(1, named(schemaName(kind), schemaBytes(schemaOf(kind))))));
  const info = Buffer.concat([field(1, INFO.title), field(2, INFO.version)]);
  return Buffer.concat([field(1, "2.0"), field(2, info), field(8, Buffer.alloc(0)), field(9, definitions)]);
}
