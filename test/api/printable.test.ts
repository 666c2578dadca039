import { expect, test } from "@jest/globals";
import { printable } from "../../src/api/printable.ts";

test("what moves the cursor or turns text around is spelled out, and everything else stays", () => {
  expect(printable("a\u001b[2Jb\nc\u202ed\0\u009b")).toBe("a\\u001b[2Jb\\u000ac\\u202ed\\u0000\\u009b");
  expect(printable("größe → 20 % 日本")).toBe("größe → 20 % 日本");
});
