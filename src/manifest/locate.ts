/** Knows where a field stands: computed from the document's text when somebody asks, never carried along with its value. */
import type { Origin } from "../api/resource.ts";
import { type Places, parsePlain } from "./plain.ts";
import { parseYaml } from "./yaml.ts";

export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The document that was asked about last: what is told of one object is told in a row. */
const last: { text: string | undefined; places: Places } = { text: undefined, places: new Map() };

/** The places of all fields of a document. */
function placesOf(text: string): Places {
  if (last.text !== text) Object.assign(last, { text, places: findPlaces(text) });
  return last.places;
}

function findPlaces(text: string): Places {
  const places: Places = new Map();
  if (!parsePlain(text, places)) {
    places.clear();
    parseYaml(text, places);
  }
  return places;
}

/**
 * The place of the field at a JSON pointer: of its value, or of its key (`what: "key"`). A field that is not written
 * down has the place of its nearest ancestor that is.
 */
export function locate(origin: Origin, pointer: string, what: "key" | "value" = "value"): Location {
  const places = placesOf(origin.text);
  for (let here = pointer; ; here = here.slice(0, here.lastIndexOf("/"))) {
    const found = places.get(here);
    if (found) {
      const [line, column] = here === pointer ? found[what] : found.key;
      return { file: origin.file, line: origin.line + line - 1, column };
    }
    if (here === "") break;
  }
  // The document as a whole: its first line with content.
  const first = origin.text.split("\n").findIndex((line) => /^\s*[^\s#]/.test(line));
  return { file: origin.file, line: origin.line + Math.max(first, 0), column: 1 };
}

/** Lines of the keys of documents that were parsed for that more than once: what has drifted drifts again. */
const keyLines = new WeakMap<Origin, ReadonlyMap<string, number>>();
const NONE: ReadonlyMap<string, number> = new Map();

/** `manifests/demo/demo.yaml:12`: the line of a field, for events and plans. */
export function lineOf(origin: Origin, pointer: string): string {
  const known = keyLines.get(origin);
  const line = known?.get(pointer);
  if (line !== undefined) return `${origin.file}:${line}`;
  const parses = last.text !== origin.text;
  const found = locate(origin, pointer, "key");
  if (parses) keyLines.set(origin, known ? new Map([...last.places].map(([field, { key }]) => [field, origin.line + key[0] - 1])) : NONE);
  return `${found.file}:${found.line}`;
}

const names = new WeakMap<Origin, string>();

/** That of an object's name, by which it is found; worked out once. */
export function nameLineOf(origin: Origin): string {
  const known = names.get(origin) ?? lineOf(origin, "/metadata/name");
  names.set(origin, known);
  return known;
}
