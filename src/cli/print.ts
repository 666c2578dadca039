/** Knows how things look on a terminal: colours only there, tables without lines, ages and values as people write them. */
import pc from "picocolors";
import { printable } from "../api/printable.ts";
import { type Problem, problemLine } from "../api/problem.ts";
import type { Action } from "../plan/action.ts";
import { describe, sign, subject } from "../plan/describe.ts";

/** Set for a program whose output goes to a terminal by way of another one. */
export const COLOUR = "HOLDFAST_COLOUR";

/** Colours on a terminal only, whatever CI systems set; NO_COLOR and --no-color are honoured (no-color.org). */
export const colour = pc.createColors(
  (process.stdout.isTTY === true || process.env[COLOUR] !== undefined) &&
    !process.env["NO_COLOR"] &&
    !process.argv.includes("--no-color") &&
    process.env["TERM"] !== "dumb",
);

/** Our own: ends of lines, tabs, colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
const LAYOUT = /([\n\t]|\u001b\[[\d;]*m)/;

/** The rest may be anybody's. */
const safe = (text: string): string =>
  text
    .split(LAYOUT)
    .map((part, index) => (index % 2 === 1 ? part : printable(part)))
    .join("");

export function out(text: string): void {
  process.stdout.write(`${safe(text)}\n`);
}

/** Notes go to stderr, so that stdout can be piped. */
export function note(text: string): void {
  process.stderr.write(`${safe(text)}\n`);
}

const WIDTH_LIMIT = 60;

/** Aligned columns with a header, as kubectl prints them. Cells may be coloured. */
export async function table(header: readonly string[], rows: readonly (readonly string[])[], cut = true): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const none = Object.fromEntries(
    [
      "top",
      "top-mid",
      "top-left",
      "top-right",
      "bottom",
      "bottom-mid",
      "bottom-left",
      "bottom-right",
      "left",
      "left-mid",
      "mid",
      "mid-mid",
      "right",
      "right-mid",
    ].map((part) => [part, ""]),
  );
  const made = new Table({ head: [...header], chars: { ...none, middle: "   " }, style: { head: [], border: [], "padding-left": 0, "padding-right": 0 } });
  for (const row of rows)
    made.push(row.map((cell) => (cut && cell.length > WIDTH_LIMIT && !cell.includes("\u001b") ? `${cell.slice(0, WIDTH_LIMIT - 1)}…` : cell)));
  return made
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

const SIGN_COLOURS = { "+": colour.green, "~": colour.yellow, "-": colour.red } as const;

/** One line of a plan, without its object. */
function actionLine(action: Action, source?: string): string {
  const mark = sign(action);
  const cause = "cause" in action && action.cause === "drift" ? colour.magenta("  drift") : "";
  return `${SIGN_COLOURS[mark](mark)} ${describe(action)}${cause}${source ? colour.dim(`  ${source}`) : ""}`;
}

/** Actions under the objects that they belong to. */
export function actionList(actions: readonly Action[], sourceOf: (action: Action) => string | undefined): string {
  const groups = new Map<string, string[]>();
  for (const action of actions) {
    const lines = groups.get(subject(action)) ?? [];
    lines.push(`  ${actionLine(action, sourceOf(action))}`);
    groups.set(subject(action), lines);
  }
  return [...groups].map(([object, lines]) => `${colour.bold(object)}\n${lines.join("\n")}`).join("\n");
}

/** A problem with its place in bold. */
export function problemText(problem: Problem): string {
  const line = problemLine(problem);
  const end = line.indexOf(": ");
  return `${colour.bold(line.slice(0, end))}${line.slice(end)}`;
}

/** JSON or YAML for machines. */
export async function structured(value: unknown, format: "json" | "yaml"): Promise<string> {
  if (format === "json") return JSON.stringify(value, null, 2);
  const { stringify } = await import("yaml");
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
