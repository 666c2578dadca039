/** Knows `holdfast explain`: what a field means, from the schema, and which kernel file carries a limit. */
import type { Kind } from "../api/resource.ts";
import { KINDS, type Located, schemaOf, schemaOfField } from "../api/schemas.ts";
import { knobTable } from "../cgroup/knobs.ts";
import { suggest } from "../manifest/suggest.ts";
import { UsageError } from "./context.ts";
import { parseTarget } from "./get.ts";
import { colour, out } from "./print.ts";

export function explain(path: string | undefined): number {
  if (path === undefined) {
    out("KINDS:");
    for (const kind of Object.keys(KINDS) as Kind[]) out(`  ${colour.bold(kind.padEnd(12))} ${schemaOf(kind).schema.description ?? ""}`);
    out("\nholdfast explain KIND.FIELD tells more, for example: holdfast explain limitgroup.spec.limits.cpu.max");
    return 0;
  }
  const [first = "", ...rest] = path.split(".");
  const { kind } = parseTarget(first, undefined);
  if (!kind) throw new UsageError("expected a kind: limitgroup or workload");
  let here = schemaOf(kind);
  const fields: string[] = [];
  for (let index = 0; index < rest.length; ) {
    // A limit's name has dots of its own: the longest name that exists is meant.
    const step = longestField(here, rest.slice(index));
    if (!step) throw new UsageError(unknownField(here, [kind, ...fields].join("."), rest.slice(index).join(".")));
    here = step.located;
    fields.push(step.name);
    index += step.parts;
  }
  print(kind, fields, here);
  return 0;
}

function longestField(located: Located, parts: readonly string[]): { located: Located; name: string; parts: number } | undefined {
  const entry = located.schema.items ? schemaOfField(located, "0") : undefined;
  const container = entry ?? located;
  for (let count = parts.length; count > 0; count--) {
    const name = parts.slice(0, count).join(".");
    const found = schemaOfField(container, name);
    if (found) return { located: found, name, parts: count };
  }
  return undefined;
}

function unknownField(located: Located, path: string, field: string): string {
  const known = Object.keys((located.schema.items ? schemaOfField(located, "0") : located)?.schema.properties ?? {});
  const hint = suggest(field, known) ?? (known.length > 0 ? `known: ${known.join(", ")}` : "it has no fields");
  return `${path} has no field ${field} (${hint})`;
}

/** So many names are spelled out in a list. */
const MOST_NAMES = 8;

function typeOf(located: Located): string {
  const { schema } = located;
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  const type = [schema.type ?? "object"].flat().join(" | ");
  if (type !== "array") return type;
  const item = schemaOfField(located, "0");
  // Many names are better read in the schema.
  return `[]${item === undefined ? "object" : (item.schema.enum?.length ?? 0) > MOST_NAMES ? "string" : typeOf(item)}`;
}

function print(kind: Kind, fields: readonly string[], located: Located): void {
  const { schema } = located;
  out(`${colour.bold("KIND:")}     ${kind}`);
  out(`${colour.bold("FIELD:")}    ${fields.join(".") || "(the object)"} <${typeOf(located)}>`);
  if (schema.default !== undefined) out(`${colour.bold("DEFAULT:")}  ${JSON.stringify(schema.default)}`);
  if (schema.minimum !== undefined || schema.maximum !== undefined) out(`${colour.bold("RANGE:")}    ${schema.minimum ?? ""} to ${schema.maximum ?? ""}`);
  out(`\n${schema.description ?? ""}`);
  const knob = knobTable().find(({ name }) => name === fields.at(-1));
  if (knob)
    out(
      `\n${colour.bold("KERNEL FILES:")}\n  cgroup v1  ${knob.v1.join(", ") || "none: KnobUnsupported"}\n  cgroup v2  ${knob.v2.join(", ") || "none: KnobUnsupported"}`,
    );
  if (schema.examples) out(`\n${colour.bold("EXAMPLES:")}\n${schema.examples.map((example) => `  ${fields.at(-1)}: ${JSON.stringify(example)}`).join("\n")}`);
  const container = schema.items ? schemaOfField(located, "0") : located;
  const properties = Object.keys(container?.schema.properties ?? {});
  if (properties.length > 0) out(`\n${colour.bold("FIELDS:")}`);
  for (const name of properties) {
    const field = container && schemaOfField(container, name);
    const required = container?.schema.required?.includes(name) ? colour.yellow(" (required)") : "";
    out(
      `  ${colour.bold(name)} <${field ? typeOf(field) : ""}>${required}${field?.schema.default === undefined ? "" : colour.dim(` (default ${JSON.stringify(field.schema.default)})`)}\n      ${field?.schema.description ?? ""}`,
    );
  }
}
