/** Knows how exposed a process is, from 0 to 10, by systemd-analyze's formula: the share of the weights that count against it. What cannot be told makes a range of it, and is never a pass. */
import { CHECKS, type Check } from "./checks.ts";
import type { ProcessFacts } from "./facts.ts";

type Level = "PERFECT" | "SAFE" | "OK" | "MEDIUM" | "EXPOSED" | "UNSAFE" | "DANGEROUS";

export interface Exposure {
  /** If all that is unknown were well; and if none of it were. */
  readonly least: number;
  readonly most: number;
  /** Of the worst that it may be. */
  readonly level: Level;
  readonly failed: readonly Check[];
  readonly unknown: readonly Check[];
}

/** From so many tenths on (systemd's analyze-security.c). */
const LEVELS: readonly (readonly [number, Level])[] = [
  [100, "DANGEROUS"],
  [90, "UNSAFE"],
  [75, "EXPOSED"],
  [50, "MEDIUM"],
  [10, "OK"],
  [1, "SAFE"],
  [0, "PERFECT"],
];

const sum = (checks: readonly Check[]): number => checks.reduce((total, { weight }) => total + weight, 0);
const ALL = sum(CHECKS);
const tenths = (bad: number): number => Math.ceil((100 * bad) / ALL);

export function exposureOf(facts: ProcessFacts): Exposure {
  const [failed, unknown]: [Check[], Check[]] = [[], []];
  for (const check of CHECKS) {
    const passes = check.passes(facts);
    if (passes === undefined) unknown.push(check);
    else if (!passes) failed.push(check);
  }
  const [least, most] = [tenths(sum(failed)), tenths(sum(failed) + sum(unknown))];
  return { least: least / 10, most: most / 10, level: LEVELS.find(([from]) => most >= from)?.[1] ?? "PERFECT", failed, unknown };
}
