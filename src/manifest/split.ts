/** Knows where one YAML document of a file ends and the next begins. */

/** A document's own text, and the line of the file (from 1) on which that text begins. */
export interface DocumentText {
  readonly line: number;
  readonly text: string;
}

/**
 * Splits a stream at its `---` and `...` lines (YAML 1.2, section 9.2: such a line ends a document whatever it stands
 * in), so that a broken document cannot take its neighbours along. Documents of nothing but comments are left out.
 */
export function splitDocuments(text: string): DocumentText[] {
  const documents: DocumentText[] = [];
  let prefix = "";
  const add = (from: number, to: number, line: number): void => {
    const body = prefix + text.slice(from, to);
    if (/^(?![ \t]*(#|$))/m.test(body)) documents.push({ line, text: body });
  };
  let start = text.startsWith("\uFEFF") ? 1 : 0;
  let line = 1;
  let startLine = 1;
  for (let at = start; at < text.length; ) {
    const newline = text.indexOf("\n", at);
    const next = newline === -1 ? text.length : newline + 1;
    const marker = text.startsWith("---", at) || text.startsWith("...", at);
    const after = text.charAt(at + 3);
    if (marker && (after === "" || /\s/.test(after))) {
      add(start, at, startLine);
      // What follows `--- ` on its line belongs to the document; blanks keep its columns right.
      const rest = text.slice(at + 3, next);
      const inline = /^[ \t]*[^\s#]/.test(rest);
      start = inline ? at + 3 : next;
      prefix = inline ? "   " : "";
      startLine = inline ? line : line + 1;
    }
    at = next;
    line++;
  }
  add(start, text.length, startLine);
  return documents;
}
