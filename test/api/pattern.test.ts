import { expect, test } from "@jest/globals";
import { patternOf } from "../../src/api/pattern.ts";

test("an expression takes time in proportion to the text, and what could not is none", () => {
  const started = performance.now();
  expect(patternOf("^(a+)+$").test(`${"a".repeat(4000)}b`)).toBe(false);
  expect(performance.now() - started).toBeLessThan(1000);
  expect(patternOf("--nightly( |$)").test("rsync --nightly")).toBe(true);
  for (const bad of ["(", "(a)\\1", "(?=a)"]) expect(() => patternOf(bad)).toThrow(SyntaxError);
});
