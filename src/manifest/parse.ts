/** Knows how to turn one document's text into a value, or into located problems. */
import type { Problem } from "../api/problem.ts";
import type { Origin } from "../api/resource.ts";
import { parsePlain } from "./plain.ts";
import { type Dialect, parseYaml } from "./yaml.ts";

/** Nested deeper than this is no manifest; a bound keeps the parser's time and stack small. */
const DEEPEST = 64;

/** The value of a document, or what is wrong with its syntax. */
export function parseDocument(origin: Origin, dialect: Dialect = {}): { readonly value: unknown } | { readonly problems: readonly Problem[] } {
  const plain = parsePlain(origin.text);
  if (plain) return plain;
  const problem = (line: number, column: number, message: string, hint?: string): Problem => ({
    reason: "YAMLSyntax",
    file: origin.file,
    line: origin.line + line - 1,
    column,
    pointer: "",
    message,
    ...(hint ? { hint } : {}),
  });
  const deep = tooDeep(origin.text);
  if (deep !== undefined) return { problems: [problem(deep, 1, `expected at most ${DEEPEST} levels of nesting`)] };
  const parsed = parseYaml(origin.text, undefined, dialect);
  if ("value" in parsed) return parsed;
  return { problems: parsed.problems.map(({ place: [line, column], message, hint }) => problem(line, column, message, hint)) };
}

/** The line on which brackets or block structure nest too deep. Brackets inside text may count too: nobody has 64. */
function tooDeep(text: string): number | undefined {
  let brackets = 0;
  let line = 1;
  for (const character of text) {
    if (character === "\n") line++;
    else if (character === "[" || character === "{") brackets++;
    else if ((character === "]" || character === "}") && brackets > 0) brackets--;
    if (brackets > DEEPEST) return line;
  }
  const indent: number[] = [];
  for (const [index, content] of text.split("\n").entries()) {
    const depth = content.search(/[^ ?-]/);
    if (depth < 0) continue;
    while ((indent.at(-1) ?? -1) >= depth) indent.pop();
    indent.push(depth);
    if (indent.length > DEEPEST || /^ *(?:[-?] ){64}/.test(content)) return index + 1;
  }
  return undefined;
}
