/** A question about a replica of which nothing is special, for tests. */
import type { Question } from "../../src/plan/question.ts";

export const PLAIN_QUESTION: Omit<Question, "desired" | "observed" | "now"> = {
  id: "w@0",
  owner: "Workload/w",
  frozen: false,
  hierarchies: new Set(["cpu", "unified"]),
  obstacle: undefined,
  unmet: undefined,
  dependents: false,
  mayReplace: true,
  restartAfter: undefined,
  findings: undefined,
  task: () => undefined,
  oomKills: () => 0,
  isDoomed: () => false,
};
