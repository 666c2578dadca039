/** Knows how names that somebody else has given (of processes, of cgroups) are shown: nothing in them moves the cursor, or turns the text around. */

/** Control characters (ECMA-48), and those that change the direction of text (https://trojansource.codes). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** `a\u001bb`, as JSON has it. */
export const printable = (text: string): string => text.replaceAll(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
