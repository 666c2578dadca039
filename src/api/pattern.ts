/** Knows what a regular expression of a manifest is: JavaScript's, but for what could take for ever on somebody's text. */
import { setFlagsFromString } from "node:v8";

/** Throws a SyntaxError where it is none, or has a backreference or a look around. */
export function patternOf(source: string): RegExp {
  // V8 has an engine whose time is in proportion to the text, and this flag for it (https://v8.dev/blog/non-backtracking-regexp).
  setFlagsFromString("--enable-experimental-regexp-engine");
  return new RegExp(source, "l");
}
