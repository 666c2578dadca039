/** Knows which part of a replica's log is asked for. */
import { statSync } from "node:fs";
import { layoutOf } from "./logIndex.ts";
import { attemptRange, positionAt, type Range, startOfTail } from "./logReader.ts";

export interface LogAsked {
  /** What the attempt before the last one wrote. */
  readonly previous: boolean;
  /** From a time on, ms since the epoch; instead of what the last attempt wrote. */
  readonly since: number | undefined;
  /** So many lines of that, the last ones. */
  readonly tail: number | undefined;
}

export interface LogPart {
  /** Of a log that is yet to come: what will be. */
  readonly range: Range;
  /** The log, or an attempt before the last one, is not there. */
  readonly missing?: "log" | "attempt";
}

export async function logPart(file: string, { previous, since, tail }: LogAsked): Promise<LogPart> {
  const layout = layoutOf(file);
  const attempt = attemptRange(layout, previous ? 1 : 0);
  const whole =
    since === undefined ? (attempt ?? { from: layout.pieces.at(-1)?.from ?? 0, to: undefined }) : { from: positionAt(layout, since), to: undefined };
  const range = tail === undefined ? whole : { ...whole, from: await startOfTail(file, whole, tail) };
  if (!statSync(file, { throwIfNoEntry: false })) return { range, missing: "log" };
  return previous && !attempt ? { range, missing: "attempt" } : { range };
}
