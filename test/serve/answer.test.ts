import { expect, test } from "@jest/globals";
import { asksFor } from "../../src/serve/answer.ts";

test.each([
  ["", false],
  ["follow=false", false],
  ["follow=FALSE", false],
  ["follow=0", false],
  ["follow=true", true],
  ["follow=1", true],
  ["follow=yes", true],
  ["follow=", true],
  ["follow", true],
  ["other=true", false],
])("the query %p asks for follow: %p", (query, asked) => {
  expect(asksFor(new URLSearchParams(query), "follow")).toBe(asked);
});
