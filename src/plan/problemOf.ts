/** Knows how a problem with a field of an object's manifest is made: with its place. */
import type { Problem, ProblemReason } from "../api/problem.ts";
import type { Resource } from "../api/resource.ts";
import { locate } from "../manifest/locate.ts";

/** `at`: whether the field's name or its value is pointed at. */
export interface Circumstances {
  readonly cgroup?: string;
  readonly hint?: string;
  readonly at?: "key" | "value";
}

export function problemOf(
  { key, origin }: Pick<Resource, "key" | "origin">,
  reason: ProblemReason,
  pointer: string,
  message: string,
  { cgroup, hint, at = "key" }: Circumstances = {},
): Problem {
  const more = { ...(cgroup === undefined ? {} : { cgroup }), ...(hint === undefined ? {} : { hint }) };
  return { reason, object: key, pointer, message, ...more, ...locate(origin, pointer, at) };
}
