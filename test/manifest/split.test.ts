import { expect, test } from "@jest/globals";
import { splitDocuments } from "../../src/manifest/split.ts";

test("documents keep the line on which they begin", () => {
  expect(splitDocuments("# head\na: 1\n---\n\nb: 2\n...\n---\n# nothing\n---\nc: 3")).toEqual([
    { line: 1, text: "# head\na: 1\n" },
    { line: 4, text: "\nb: 2\n" },
    { line: 10, text: "c: 3" },
  ]);
});

test("what follows the marker on its line belongs to the document, with its columns", () => {
  expect(splitDocuments("--- {a: 1}\n--- # comment\nb: 2\n")).toEqual([
    { line: 1, text: "    {a: 1}\n" },
    { line: 3, text: "b: 2\n" },
  ]);
});

test("a byte order mark, dashes inside words and an empty file", () => {
  expect(splitDocuments("\uFEFFa: 1\n----\nb: 2\n")).toEqual([{ line: 1, text: "a: 1\n----\nb: 2\n" }]);
  expect(splitDocuments("")).toEqual([]);
  expect(splitDocuments("\n  \n# only a comment\n")).toEqual([]);
});
