import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { same } from "../../src/plan/same.ts";

test("equal JSON is the same, whatever its keys are called", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => expect(same(value, JSON.parse(JSON.stringify(value)))).toBe(true)));
  expect(same({ valueOf: "x", b: 1 }, { b: 1, valueOf: "x" })).toBe(true);
  expect(same({ toString: { a: 1 } }, { toString: { a: 2 } })).toBe(false);
});

test("different JSON is not", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) =>
      expect(same(one, other)).toBe(JSON.stringify(one) === JSON.stringify(other) || same(other, one)),
    ),
  );
  expect([same({ a: 1 }, { a: 1, b: undefined }), same([1, 2], [2, 1]), same("1", 1)]).toEqual([false, false, false]);
});
