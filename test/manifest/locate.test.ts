import { expect, test } from "@jest/globals";
import { lineOf, locate } from "../../src/manifest/locate.ts";

test("a line is told alike, however often it is asked for, and of a field that is not written down too", () => {
  const document = (name: string) => `apiVersion: v1\nkind: K\nmetadata: {name: ${name}}\nspec:\n  limits:\n    pids.max: 5\n    "a/b": 1\n`;
  const origins = ["a", "b"].map((name, index) => ({ file: `${name}.yaml`, line: 10 * index + 1, text: document(name) }));
  const pointers = ["/spec/limits/pids.max", "/spec/limits/a~1b", "/spec/limits/memory.max", "/metadata/name", "/spec/frozen", ""];
  const lines = () => origins.flatMap((origin) => pointers.map((pointer) => lineOf(origin, pointer)));
  const expected = origins.flatMap((origin) => pointers.map((pointer) => `${origin.file}:${locate(origin, pointer, "key").line}`));
  expect(expected.slice(0, 3)).toEqual(["a.yaml:6", "a.yaml:7", "a.yaml:5"]);
  for (let round = 0; round < 4; round++) expect(lines()).toEqual(expected);
});
