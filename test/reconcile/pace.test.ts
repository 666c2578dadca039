import { expect, test } from "@jest/globals";
import { Pace } from "../../src/reconcile/pace.ts";

test("the first repairs are immediate, a storm is slowed down, and calm returns", () => {
  const pace = new Pace();
  const start = 1_000_000;
  for (let repair = 0; repair < 20; repair++) {
    expect(pace.wait("a", start)).toBe(0);
    pace.repaired("a", start);
  }
  pace.repaired("a", start);
  expect(pace.wait("a", start)).toBeGreaterThan(0);
  expect(pace.wait("b", start)).toBe(0);
  expect(pace.wait("a", start + 3000)).toBe(0);
});
