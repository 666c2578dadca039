/** Words of a process that is not trusted, on their way to root's terminal. */
import { PassThrough, Writable } from "node:stream";
import { expect, test } from "@jest/globals";
import { plain, relay } from "../../src/cli/relay.ts";

test.each([
  ["a\tb\nc ü", "a\tb\nc ü"],
  ["\x1b[32mgreen\x1b[0m", "\x1b[32mgreen\x1b[0m"],
  ["\x1b[1;31mbold", "\x1b[1;31mbold"],
  // Titles, the clipboard, answers that are typed into the shell, what is drawn over.
  ["\x1b]0;title\x07", "]0;title"],
  ["\x1b]52;c;ZXZpbA==\x07", "]52;c;ZXZpbA=="],
  ["\x1b[6n\x1b[c\x1b[2J\x1bc", "[6n[c[2Jc"],
  ["over\rwritten\b\b", "overwritten"],
  ["\x9b6n\x00\x7f", "6n"],
])("%j reads %j", (said, read) => expect(plain(said)).toBe(read));

test("what is not taken is not asked for", async () => {
  const from = new PassThrough();
  const taken: (() => void)[] = [];
  let got = "";
  const to = new Writable({
    highWaterMark: 4,
    decodeStrings: false,
    write(chunk, _, done) {
      got += chunk;
      taken.push(done);
    },
  });
  relay(from, to);
  for (let index = 0; index < 200; index++) from.write("x".repeat(1000));
  await new Promise((resolve) => setImmediate(resolve));
  expect(got.length).toBeLessThanOrEqual(1000);
  from.end();
  while (got.length < 200_000) {
    taken.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
});
