import { expect, test } from "@jest/globals";
import { expand } from "../../src/plan/expand.ts";

const variables = new Map([
  ["A", "one"],
  ["EMPTY", ""],
  ["B", "$(A)"],
]);

// Kubernetes' own cases: third_party/forked/golang/expansion/expand_test.go.
test.each([
  ["$(A)", "one"],
  ["$(A)-$(A)", "one-one"],
  ["$$(A)", "$(A)"],
  ["$$$(A)", "$one"],
  ["$$$$(A)", "$$(A)"],
  ["$(NONE)", "$(NONE)"],
  ["$(EMPTY)", ""],
  ["$(B)", "$(A)"],
  ["$A", "$A"],
  ["$", "$"],
  ["$$", "$"],
  ["$(A", "$(A"],
  ["$(", "$("],
  ["a$$$b$(A)c", "a$$boneC".replace("C", "c")],
  ["$(date +%s)", "$(date +%s)"],
  ["", ""],
])("%s is %s", (text, expected) => expect(expand(text, variables)).toBe(expected));
