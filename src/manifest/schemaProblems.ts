/** Knows how to say in words, and at a place, what a schema validator found. */
import type { ErrorObject } from "ajv";
import { OTHER_NAMES } from "../api/limits.ts";
import type { Problem, ProblemReason } from "../api/problem.ts";
import type { Kind, Origin } from "../api/resource.ts";
import { pointerPart, pointerParts, schemaAt } from "../api/schemas.ts";
import { locate } from "./locate.ts";
import { suggest } from "./suggest.ts";

/** What the patterns of the schemas stand for, in words. */
const PATTERN_WORDS: readonly (readonly [start: string, words: string])[] = [
  ["^[a-z0-9]", "lower-case letters, digits and dashes (an RFC 1123 label)"],
  ["^/[!-~]", "a path that begins with / and has anything but plain ASCII percent-encoded (%20 for a blank)"],
  ["^/", "an absolute path"],
  ["^[\\t -~", "the value of an HTTP header: one line, without characters beyond Latin-1"],
  ["^[^\\x00-", "a host name or an address, without port, brackets and blanks"],
  ["^[a-z_]", "the name or number of a user or group"],
  ["^0?[0-7]", "a umask in octal, such as 0027"],
  ["^journald", "journald, or a mapping of where and how much"],
  ["^[1-9][0-9]?%", "a number, or a percentage such as 25%"],
  ["^(unlimited", "a number, or unlimited"],
  ["^[A-Za-z0-9!", "the name of an HTTP header"],
  ["^[A-Za-z_]", "a variable name: letters, digits and underscores"],
  ["^([A-Za-z0-9](", "letters, digits, -, _ and ., with a letter or digit at both ends"],
  ["^[^\\x00]", "text without NUL characters"],
];

/** The first part of a description, to go on after a bracket. */
function sentenceStart(description: string): string {
  const [first = ""] = description.split(/[.;:]/);
  return first.charAt(0).toLowerCase() + first.slice(1);
}

interface Finding {
  readonly reason: ProblemReason;
  readonly pointer: string;
  readonly at: "key" | "value";
  readonly message: string;
  readonly hint?: string | undefined;
}

function valueAt(document: unknown, pointer: string): unknown {
  let here = document;
  for (const part of pointerParts(pointer)) here = (here as Record<string, unknown> | null | undefined)?.[part];
  return here;
}

/** A value as an error shows it: short, on one line. */
export function shown(value: unknown): string {
  // What a terminal would not show, or obey, is quoted.
  const plain = typeof value === "number" || (typeof value === "string" && /^[^\s\p{Cc}]([^\p{Cc}]*[^\s\p{Cc}])?$/u.test(value));
  const text = plain ? String(value) : JSON.stringify(value);
  if (text === undefined) return "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

const KIND_OF_VALUE = (value: unknown): string =>
  value === null ? "nothing" : Array.isArray(value) ? "a list" : typeof value === "object" ? "a mapping" : `the ${typeof value} ${shown(value)}`;
const TYPE_WORDS: Readonly<Record<string, string>> = {
  array: "a list",
  object: "a mapping",
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
};

function finding(kind: Kind, document: unknown, error: ErrorObject): Finding | undefined {
  const { instancePath: pointer, keyword, params } = error;
  // What is wrong with a key is told of the key.
  if (error.propertyName !== undefined) return;
  const value = valueAt(document, pointer);
  const invalid = (message: string, hint?: string): Finding => ({ reason: "InvalidValue", pointer, at: "value", message, hint });
  switch (keyword) {
    case "additionalProperties": {
      const field = String(params["additionalProperty"]);
      const known = Object.keys(schemaAt(kind, pointer)?.schema.properties ?? {});
      const other = OTHER_NAMES[field];
      const hint =
        (other && known.includes(other) ? `did you mean ${other}?` : suggest(field, known)) ??
        (known.length > 0 && known.length <= 15 ? `known here: ${known.join(", ")}` : undefined);
      return { reason: "UnknownField", pointer: `${pointer}/${pointerPart(field)}`, at: "key", message: "expected no such field", hint };
    }
    case "required": {
      const field = String(params["missingProperty"]);
      const description = schemaAt(kind, `${pointer}/${pointerPart(field)}`)?.schema.description;
      return {
        reason: "MissingField",
        pointer,
        at: "key",
        message: `expected the field ${field}`,
        hint: description === undefined ? undefined : sentenceStart(description),
      };
    }
    case "type": {
      const types = [params["type"] as string | string[]].flat().map((type) => TYPE_WORDS[type] ?? type);
      const quotable = Number.isFinite(value) || (typeof value === "boolean" && types.length === 1);
      const [example] = (schemaAt(kind, pointer)?.schema.examples ?? []) as unknown[];
      const hint = example === undefined ? `write "${value}" in quotes` : `such as ${shown(example)}`;
      return invalid(`expected ${types.join(" or ")}, found ${KIND_OF_VALUE(value)}`, quotable && types.includes("text") ? hint : undefined);
    }
    case "enum": {
      const allowed = (params["allowedValues"] as unknown[]).map(String);
      return invalid(`expected ${allowed.join(", ")}; found ${shown(value)}`, typeof value === "string" ? suggest(value, allowed) : undefined);
    }
    case "const":
      return invalid(`expected ${params["allowedValue"]}, found ${shown(value)}`);
    case "pattern": {
      const pattern = String(params["pattern"]);
      return invalid(`expected ${PATTERN_WORDS.find(([start]) => pattern.startsWith(start))?.[1] ?? `text that matches ${pattern}`}, found ${shown(value)}`);
    }
    case "propertyNames": {
      const name = String(params["propertyName"]);
      const prefix = pointer.endsWith("/labels") ? "a lower-case DNS name" : "a DNS name";
      const message = `expected a name of at most 63 letters, digits, -, _ and ., with a letter or digit at both ends, with or without ${prefix} and a slash before it; found ${shown(name)}`;
      return { reason: "InvalidValue", pointer: `${pointer}/${pointerPart(name)}`, at: "key", message };
    }
    case "minimum":
    case "maximum":
      return invalid(
        `expected ${keyword === "minimum" ? "at least" : "at most"} ${params["limit"]}, found ${shown(value)}`,
        params["limit"] === Number.MAX_SAFE_INTEGER ? "write a larger number in quotes" : undefined,
      );
    case "minProperties":
    case "maxProperties": {
      const known = Object.keys(schemaAt(kind, pointer)?.schema.properties ?? {}).join(", ");
      return invalid(`expected one of ${known}; found ${Object.keys(value as object).join(", ") || "none"}`);
    }
    case "minLength":
    case "minItems":
    case "maxLength":
    case "maxItems":
      return invalid(
        `expected ${keyword.startsWith("min") ? "at least" : "at most"} ${params["limit"]} ${keyword.endsWith("Items") ? "entries" : "characters"}`,
      );
    default:
      return invalid(error.message ?? `expected ${keyword}`);
  }
}

/** All that a validator found, each once, located. */
export function schemaProblems(kind: Kind, object: string | undefined, document: unknown, errors: readonly ErrorObject[], origin: Origin): Problem[] {
  const problems = new Map<string, Problem>();
  for (const error of errors) {
    const found = finding(kind, document, error);
    if (!found || problems.has(`${found.pointer} ${found.message}`)) continue;
    const { reason, pointer, at, message, hint } = found;
    problems.set(`${pointer} ${message}`, {
      reason,
      pointer,
      message,
      ...locate(origin, pointer, at),
      ...(object ? { object } : {}),
      ...(hint ? { hint } : {}),
    });
  }
  return [...problems.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}
