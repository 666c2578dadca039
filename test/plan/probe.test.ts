import { expect, test } from "@jest/globals";
import type { Probe } from "../../src/api/resource.ts";
import { afterLook, unknown } from "../../src/plan/probe.ts";

const probe = (successThreshold: number, failureThreshold: number): Probe => ({
  handler: { exec: ["x"] },
  initialDelaySeconds: 0,
  periodSeconds: 1,
  timeoutSeconds: 1,
  successThreshold,
  failureThreshold,
  gracePeriodSeconds: undefined,
});

/** `+` success, `-` failure; the verdict after each look. */
const verdicts = (looks: string, from: boolean, thresholds: Probe): string => {
  let verdict = unknown(from);
  const said = [...looks].map((look) => {
    verdict = afterLook(verdict, thresholds, look === "+");
    return verdict.good ? "G" : "b";
  });
  return said.join("");
};

test.each([
  ["---", true, probe(1, 3), "GGb"],
  ["--+--+", true, probe(1, 3), "GGGGGG"],
  ["---+", true, probe(1, 3), "GGbG"],
  ["+", false, probe(1, 3), "G"],
  ["++-++", false, probe(2, 1), "bGbbG"],
  ["+-+-", false, probe(2, 3), "bbbb"],
] as const)("%s", (looks, from, thresholds, expected) => expect(verdicts(looks, from, thresholds)).toBe(expected));
