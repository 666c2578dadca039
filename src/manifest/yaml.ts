/** Knows the yaml package, the parser of record: values, errors with their places, and the place of any field. */
import { createRequire } from "node:module";
import type * as Yaml from "yaml";
import { pointerPart } from "../api/schemas.ts";
import type { Place, Places } from "./plain.ts";

const require = createRequire(import.meta.url);

/** Loaded when first needed: a host of plain manifests never pays for it. */
const yaml = (): typeof Yaml => require("yaml");

export interface SyntaxProblem {
  readonly place: Place;
  readonly message: string;
  readonly hint?: string;
}

/** More aliases than this, counted with what they stand for, are a bomb. */
const MOST_ALIASES = 100;

/** `merge`: `<<` takes over the fields of another mapping, as in Compose files (https://yaml.org/type/merge.html); YAML 1.2 knows no such thing. */
export interface Dialect {
  readonly merge?: boolean;
}

/** Reads one document: its value, or all that is wrong with its syntax. Lines and columns count from 1 within the text. */
export function parseYaml(text: string, places?: Places, dialect: Dialect = {}): { readonly value: unknown } | { readonly problems: readonly SyntaxProblem[] } {
  const { LineCounter, parseDocument, isMap, isScalar, isSeq } = yaml();
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2", ...dialect });
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return [Math.max(line, 1), Math.max(col, 1)];
  };
  const version = document.directives?.yaml.explicit === true ? document.directives.yaml.version : "1.2";
  if (version !== "1.2")
    return { problems: [{ place: [1, 1], message: `expected YAML 1.2, found a %YAML ${version} directive`, hint: "remove the directive" }] };
  const problems: SyntaxProblem[] = [...document.errors, ...document.warnings].map((error) => ({
    place: place(error.pos[0]),
    message: sentence(error.message),
  }));
  if (problems.length > 0) return { problems };
  const visit = (node: unknown, pointer: string): void => {
    if (isMap(node)) {
      for (const pair of node.items) {
        const key = pair.key as Yaml.Node | null;
        const value = pair.value as Yaml.Node | null;
        const name = isScalar(key) ? String(key.value) : String(key);
        const here = `${pointer}/${pointerPart(name)}`;
        const at = place(key?.range?.[0] ?? 0);
        places?.set(here, { key: at, value: value?.range ? place(value.range[0]) : at });
        visit(value, here);
      }
    } else if (isSeq(node)) {
      node.items.forEach((item, index) => {
        const at = place((item as Yaml.Node).range?.[0] ?? 0);
        places?.set(`${pointer}/${index}`, { key: at, value: at });
        visit(item, `${pointer}/${index}`);
      });
    }
  };
  if (places) visit(document.contents, "");
  try {
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
    if (isEndless(value))
      return { problems: [{ place: [1, 1], message: "expected no alias (*name) inside what it stands for: that has no end", hint: "write the value out" }] };
    return { value };
  } catch (error) {
    const loose = /Unresolved alias.*: (\S+)$/.exec(String(error))?.[1];
    if (loose !== undefined)
      return { problems: [{ place: place(aliasAt(document, loose)), message: `expected an anchor &${loose} above, in the same document` }] };
    const bomb = error instanceof ReferenceError;
    const message = bomb ? "expected fewer aliases (*name): they would unfold to a very large document" : sentence(String(error));
    return { problems: [{ place: [1, 1], message, ...(bomb ? { hint: "write the values out" } : {}) }] };
  }
}

/** Whether a value contains itself. */
function isEndless(value: unknown, above: readonly unknown[] = []): boolean {
  if (typeof value !== "object" || value === null) return false;
  return above.includes(value) || Object.values(value).some((part) => isEndless(part, [...above, value]));
}

/** Offset of the first alias of that name. */
function aliasAt(document: Yaml.Document, name: string): number {
  const { visit } = yaml();
  let found = 0;
  visit(document, {
    Alias: (_, node) => {
      if (node.source !== name) return undefined;
      found = node.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

function sentence(message: string): string {
  if (message.includes("call stack")) return "expected less deep nesting";
  return (message.split("\n")[0] ?? "").replace(/[.:]$/, "");
}
