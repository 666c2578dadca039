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

/** A file's documents as they stand in it, or what is wrong with it as a whole. */
export function documentsOf(file: FileContent): Problem | readonly Origin[] {
  if ("problem" in file) return file.problem;
  const whole = (reason: Problem["reason"], message: string, hint?: string, line = 0, column = 0): Problem => ({
    reason,
    file: file.path,
    line,
    column,
    pointer: "",
    message,
    ...(hint ? { hint } : {}),
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
  return splitDocuments(file.text.includes("\r") ? file.text.replaceAll("\r\n", "\n") : file.text).map((document) => ({ file: file.path, ...document }));
}

/** What a document's text comes to: its value, or what is wrong with its syntax. */
type Parsed = ReturnType<typeof parseDocument>;

/** The object that a document is, or its problems. */
export function readDocument(origin: Origin, parsed: Parsed): ReadDocument {
  if ("problems" in parsed) return { key: undefined, resource: undefined, problems: parsed.problems, origin, references: [] };
  return { ...validate(parsed.value, origin), origin, references: referencesIn(parsed.value) };
}

/** Reads one file; documents that stand as they stood in `previous` keep their identity and are not parsed again. */
export function readFile(file: FileContent, previous?: ReadFile): ReadFile {
  const { path } = file;
  const found = documentsOf(file);
  if ("reason" in found) return { path, documents: [], problem: found };
  const known = new Map(previous?.documents.map((document) => [`${document.origin.line} ${document.origin.text}`, document]));
  return { path, documents: found.map((origin) => known.get(`${origin.line} ${origin.text}`) ?? readDocument(origin, parseDocument(origin))) };
}
