/** Knows how the words of a process that is not trusted reach root's terminal: as words. */
import type { Readable, Writable } from "node:stream";

/** Colours are let through (ECMA-48, SGR); every other control character but tab and newline could do more than to be read. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const CONTROL = /\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]/g;

export const plain = (text: string): string => text.replaceAll(CONTROL, "");

/** Copies until the end, no faster than it is taken. */
export function relay(from: Readable, to: Writable): void {
  from.setEncoding("utf8").on("data", (chunk: string) => {
    if (to.write(plain(chunk))) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
  from.on("error", () => {}); // it ends with the process
}
