/**
 * Knows the plain part of YAML in which nearly every manifest is written: block mappings and sequences, one-line flow
 * collections, one-line scalars. It gives up (undefined) at the first sight of anything else, and the yaml package, the
 * parser of record, reads the document instead. Where it does not give up its value equals the yaml package's; a
 * property test holds the two together. It is some 20 times as fast, which decides the start-up time of a large host.
 */

export type Place = readonly [line: number, column: number];

/** Where the fields stand: JSON pointer to the place of the key (for an entry of a sequence: of the entry) and of the value. */
export type Places = Map<string, { readonly key: Place; readonly value: Place }>;

class NotPlain extends Error {}

const DEEPEST = 64;

const KEY = /^([A-Za-z_][\w./-]*):(?: +|$)/;
const WORD: Readonly<Record<string, boolean | null>> = {
  true: true,
  True: true,
  TRUE: true,
  false: false,
  False: false,
  FALSE: false,
  null: null,
  Null: null,
  NULL: null,
  "~": null,
};
const INTEGER = /^[-+]?\d+$/;
const FLOAT = /^[-+]?(?:\.\d+|\d+\.\d*)(?:[eE][-+]?\d+)?$|^[-+]?\d+[eE][-+]?\d+$/;
const ODD_NUMBER = /^(?:0[xo]|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$)/;

/** YAML 1.2 core schema (section 10.3.2). */
function scalar(text: string): unknown {
  const first = text.charCodeAt(0);
  if (first > 57 || first === 47) return Object.hasOwn(WORD, text) ? WORD[text] : text;
  if (INTEGER.test(text) || FLOAT.test(text)) return Number(text);
  if (ODD_NUMBER.test(text)) throw new NotPlain();
  return text;
}

class PlainReader {
  private readonly lines: readonly string[];
  private at = 0;
  private readonly places: Places | undefined;

  constructor(text: string, places: Places | undefined) {
    this.lines = text.split("\n");
    this.places = places;
  }

  document(): unknown {
    const indent = this.indent();
    if (indent < 0) return null;
    const value = this.block(indent, "");
    if (this.indent() >= 0) throw new NotPlain();
    return value;
  }

  /** Moves to the next line with content and tells its indentation, -1 at the end. */
  private indent(): number {
    for (; this.at < this.lines.length; this.at++) {
      const line = this.lines[this.at] as string;
      let indent = 0;
      while (line.charCodeAt(indent) === 32) indent++;
      if (indent < line.length && line.charCodeAt(indent) !== 35) return indent;
    }
    return -1;
  }

  private block(indent: number, pointer: string): unknown {
    // Every level is indented by a blank at least, and deeper ones are refused by the parser of record.
    if (indent > DEEPEST) throw new NotPlain();
    const line = this.lines[this.at] ?? "";
    if (line.startsWith("- ", indent) || line.slice(indent) === "-") return this.sequence(indent, pointer);
    return this.mapping(indent, line.slice(indent), pointer);
  }

  private sequence(indent: number, pointer: string): unknown[] {
    const items: unknown[] = [];
    while (this.indent() === indent) {
      const line = this.lines[this.at] ?? "";
      if (!line.startsWith("- ", indent)) {
        if (line.slice(indent) === "-") throw new NotPlain();
        break; // a key at the same indentation: the sequence was the value of the key above
      }
      const content = indent + 1 + line.slice(indent + 1).search(/[^ ]|$/);
      const rest = line.slice(content);
      const here = `${pointer}/${items.length}`;
      this.place(here, content, content);
      if (KEY.test(rest)) items.push(this.mapping(content, rest, here));
      else if (rest === "" || rest.startsWith("- ") || rest.startsWith("#")) throw new NotPlain();
      else items.push(this.inline(rest, content, indent, here));
    }
    return items;
  }

  /** A mapping at a column; its first entry (given from there on) may stand behind a dash. */
  private mapping(indent: number, firstLine: string, pointer: string): Record<string, unknown> {
    const mapping: Record<string, unknown> = {};
    let text = firstLine;
    do {
      const match = KEY.exec(text);
      const key = match?.[1];
      if (!match || key === undefined || Object.hasOwn(WORD, key) || key === "__proto__" || Object.hasOwn(mapping, key)) throw new NotPlain();
      const here = this.places ? `${pointer}/${key.replaceAll("/", "~1")}` : "";
      const column = indent + match[0].length;
      const rest = text.slice(match[0].length);
      this.place(here, indent, column);
      mapping[key] = rest === "" || rest.startsWith("#") ? this.below(indent, here) : this.inline(rest, column, indent, here);
      if (this.indent() !== indent) break;
      text = (this.lines[this.at] ?? "").slice(indent);
    } while (!text.startsWith("- "));
    if (this.indent() > indent) throw new NotPlain();
    return mapping;
  }

  /** The value of a key that has nothing on its own line. */
  private below(indent: number, pointer: string): unknown {
    this.at++;
    const inner = this.indent();
    const dash = inner === indent && (this.lines[this.at] ?? "").startsWith("- ", indent);
    return inner > indent || dash ? this.block(inner, pointer) : null;
  }

  /** A value that stands on the line of its key or dash, and must end there. */
  private inline(rest: string, column: number, indent: number, pointer: string): unknown {
    const first = rest.charAt(0);
    let value: unknown;
    if (first === "[" || first === "{")
      value = new FlowReader(rest, this.places && ((path, key, at) => this.place(pointer + path, column + key, column + at))).document();
    else if (first === '"' || first === "'") value = quoted(rest);
    else value = bare(rest);
    this.at++;
    if (this.indent() > indent) throw new NotPlain(); // a scalar goes on over several lines
    return value;
  }

  private place(pointer: string, key: number, value: number): void {
    this.places?.set(pointer, { key: [this.at + 1, key + 1], value: [this.at + 1, value + 1] });
  }
}

/** `"text"` or `'text'` without escapes, and perhaps a comment. */
function quoted(rest: string): string {
  const match = /^(?:"([^"\\]*)"|'([^']*)')(?: *| +#.*)$/.exec(rest);
  if (!match) throw new NotPlain();
  return match[1] ?? match[2] ?? "";
}

function bare(rest: string): unknown {
  const comment = rest.indexOf(" #");
  const text = (comment < 0 ? rest : rest.slice(0, comment)).trimEnd();
  if (!/^(?:[A-Za-z0-9_./~+$^(<=;]|-[^ ])/.test(text) || text.includes(": ") || text.endsWith(":")) throw new NotPlain();
  return scalar(text);
}

const FLOW_BARE = /(?:[A-Za-z0-9_./~+]|-[A-Za-z0-9/.-])[\w./%+=@~-]*(?: +[\w./%+=@~-]+)*/y;
const FLOW_QUOTED = /"([^"\\]*)"|'([^']*)'/y;

/** One-line `[a, b]` and `{name: x}`. */
class FlowReader {
  private at = 0;
  private readonly text: string;
  private readonly place: ((pointer: string, key: number, value: number) => void) | undefined;

  constructor(text: string, place: ((pointer: string, key: number, value: number) => void) | undefined) {
    this.text = text;
    this.place = place;
  }

  document(): unknown {
    const value = this.value("", 0);
    if (!/^ *(?: #.*)?$/.test(this.text.slice(this.at))) throw new NotPlain();
    return value;
  }

  private value(pointer: string, depth: number): unknown {
    if (depth > 20) throw new NotPlain();
    const first = this.text.charAt(this.at);
    if (first === "[") return this.list(pointer, depth);
    if (first === "{") return this.map(pointer, depth);
    if (first === '"' || first === "'") {
      const match = this.match(FLOW_QUOTED);
      return match[1] ?? match[2] ?? "";
    }
    return scalar(this.match(FLOW_BARE)[0]);
  }

  private list(pointer: string, depth: number): unknown[] {
    const items: unknown[] = [];
    this.at++;
    while (!this.closes("]", items.length > 0)) {
      const here = `${pointer}/${items.length}`;
      this.place?.(here, this.at, this.at);
      items.push(this.value(here, depth + 1));
    }
    return items;
  }

  private map(pointer: string, depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    this.at++;
    for (let count = 0; !this.closes("}", count > 0); count++) {
      const start = this.at;
      const key = this.match(/[A-Za-z_][\w./-]*(?=: +[^ ])/y)[0];
      if (Object.hasOwn(WORD, key) || key === "__proto__" || Object.hasOwn(map, key)) throw new NotPlain();
      this.match(/: +/y);
      const here = `${pointer}/${key.replaceAll("/", "~1")}`;
      this.place?.(here, start, this.at);
      map[key] = this.value(here, depth + 1);
    }
    return map;
  }

  /** Passes blanks and a comma that is due; true when the collection ends here. */
  private closes(end: string, comma: boolean): boolean {
    const due = / */y;
    this.match(due);
    if (this.text.charAt(this.at) === end) {
      this.at++;
      return true;
    }
    if (comma) this.match(/, */y);
    return false;
  }

  private match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (!match) throw new NotPlain();
    this.at = pattern.lastIndex;
    return match;
  }
}

/** The value of a plain document and, where `places` is given, the places of its fields; undefined when it is not plain. */
export function parsePlain(text: string, places?: Places): { readonly value: unknown } | undefined {
  if (/[^\n\x20-\x7e]/.test(text) || text.startsWith("%")) return undefined;
  try {
    return { value: new PlainReader(text, places).document() };
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}
