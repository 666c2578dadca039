/** Knows the status file: what a look by another process, or the next controller, finds. It can be lost without harm. */
import { join } from "node:path";
import type { ObjectKey } from "../api/resource.ts";
import type { Event } from "../api/status.ts";
import { readJson, replaceFile } from "../host/records.ts";
import type { AppliedObject } from "../plan/applied.ts";
import type { Remembered } from "./report.ts";

export interface State {
  /** The controller (or apply) that wrote it, and where its workloads' logs go. */
  readonly controller?: { readonly pid: number; readonly root: string; readonly logDirectory: string };
  /** The manifest directory that it was made from. */
  readonly directory?: string;
  readonly applied: readonly (readonly [ObjectKey, AppliedObject])[];
  readonly objects: readonly (readonly [ObjectKey, Remembered])[];
  readonly events: readonly Event[];
}

const FORMAT = 1;
const fileOf = (runDirectory: string): string => join(runDirectory, "status.json");

/** The state as it was left; empty when there is none, or when it is of another format or damaged. */
export function loadState(runDirectory: string): State {
  const stored = readJson(fileOf(runDirectory)) as (State & { format?: number }) | undefined;
  const whole = stored?.format === FORMAT && [stored.applied, stored.objects, stored.events].every(Array.isArray);
  return whole ? stored : { applied: [], objects: [], events: [] };
}

export function saveState(runDirectory: string, state: State): void {
  replaceFile(fileOf(runDirectory), `${JSON.stringify({ format: FORMAT, ...state })}\n`);
}
