/** Knows the status file: what a look by another process, or the next controller, finds. It can be lost without harm. */
import { join } from "node:path";
import type { ObjectKey } from "../api/resource.ts";
import { API_VERSION } from "../api/schemas.ts";
import type { Event } from "../api/status.ts";
import { readJson, replaceFile } from "../host/records.ts";
import { type Manifests, NO_MANIFESTS } from "../manifest/link.ts";
import { validate } from "../manifest/validate.ts";
import type { AppliedObject } from "../plan/applied.ts";
import type { LastInForce } from "./manifests.ts";
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

/** The objects that the last controller had in force: what is broken or gone now was one of them. */
export function lastInForce({ objects }: State): LastInForce {
  const load = (): Manifests => {
    const resources = objects.flatMap(([key, { spec, file }]) => {
      const [kind, name] = key.split("/");
      const document = { apiVersion: API_VERSION, kind, metadata: { name }, ...(spec ? { spec: JSON.parse(spec) as unknown } : {}) };
      const { resource } = validate(document, { file, line: 1, text: JSON.stringify(document) });
      return resource ? [[key, resource] as const] : [];
    });
    return { ...NO_MANIFESTS, resources: new Map(resources) };
  };
  return { keys: objects.map(([key]) => key), load };
}
