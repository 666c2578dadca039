/** Knows how to read one file: its text to documents, each an object or its problems. */
import type { Problem } from "../api/problem.ts";
import type { Origin, Resource } from "../api/resource.ts";
import { parseDocument } from "./parse.ts";
import { type Reference, referencesIn } from "./references.ts";
import { splitDocuments } from "./split.ts";
import { type Validated, validate } from "./validate.ts";

/** A manifest file's content, or why it could not be read. `whole`: it came in one piece, nobody is writing it. */
export type FileContent = { readonly path: string; readonly whole?: boolean } & ({ readonly text: string } | { readonly problem: Problem });

export interface ReadDocument extends Validated {
  readonly origin: Origin;
  /** The other objects that it names. */
  readonly references: readonly Reference[];
}

export interface ReadFile {
  readonly path: string;
  readonly documents: readonly ReadDocument[];
  /** Why the file as a whole could not be read. */
  readonly problem?: Problem;
  /** Objects that it does not declare any more, or declares in another way, and that stay in force until all is calm. */
  readonly lingering?: readonly Resource[];
}

/** Larger files are refused: a manifest is written by people, and a parser must not hold up the controller. */
export const LARGEST_FILE = 1024 * 1024;

/** Reads one file; documents that stand as they stood in `previous` keep their identity and are not parsed again. */
export function readFile(file: FileContent, previous?: ReadFile): ReadFile {
  if ("problem" in file) return { path: file.path, documents: [], problem: file.problem };
  const whole = (reason: Problem["reason"], message: string, hint?: string, line = 0, column = 0): ReadFile => ({
    path: file.path,
    documents: [],
    problem: { reason, file: file.path, line, column, pointer: "", message, ...(hint ? { hint } : {}) },
  });
  if (file.text.length > LARGEST_FILE)
    return whole("FileTooLarge", `expected at most 1 MiB, found ${(file.text.length / 1024 / 1024).toFixed(2)} MiB`, "split it into several files");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what makes it no text
  const odd = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\uFFFD]/.exec(file.text);
  if (odd) {
    const above = file.text.slice(0, odd.index).split("\n");
    const found = `expected UTF-8 text, found a ${odd[0] === "\0" ? "NUL" : "control or undecodable"} character`;
    return whole("NotText", found, undefined, above.length, (above.at(-1)?.length ?? 0) + 1);
  }
  const known = new Map(previous?.documents.map((document) => [`${document.origin.line} ${document.origin.text}`, document]));
  const documents = splitDocuments(file.text.includes("\r") ? file.text.replaceAll("\r\n", "\n") : file.text).map(({ line, text }) => {
    const same = known.get(`${line} ${text}`);
    if (same) return same;
    const origin: Origin = { file: file.path, line, text };
    const parsed = parseDocument(origin);
    if ("problems" in parsed) return { key: undefined, resource: undefined, problems: parsed.problems, origin, references: [] };
    return { ...validate(parsed.value, origin), origin, references: referencesIn(parsed.value) };
  });
  return { path: file.path, documents };
}
