/** Knows the status file: what a look by another process, or the next controller, finds. It can be lost without harm. */
import { join } from "node:path";
import type { ObjectKey } from "../api/resource.ts";
import { API_VERSION } from "../api/schemas.ts";
import type { Event } from "../api/status.ts";
import { readJson, replaceFile, replaceFileInPieces, takeAwayUnfinished } from "../host/records.ts";
import { type Manifests, NO_MANIFESTS } from "../manifest/link.ts";
import { validate } from "../manifest/validate.ts";
import type { AppliedObject } from "../plan/applied.ts";
import type { Reverted } from "./bakes.ts";
import type { LastInForce } from "./manifests.ts";
import type { Remembered } from "./report.ts";

/** Who converged the root last, and from what: enough for a look to find the rest. */
export interface Controller {
  readonly pid: number;
  /** The manifest directory. */
  readonly directory: string;
  readonly logDirectory: string;
  readonly imageDirectory: string;
  /** It takes everything down at its end. */
  readonly ephemeral: boolean;
  /** The port that it serves, and where the credentials for that are. */
  readonly listen?: { readonly host: string; readonly port: number };
  readonly servingDirectory?: string;
}

export interface State {
  readonly applied: readonly (readonly [ObjectKey, AppliedObject])[];
  readonly objects: readonly (readonly [ObjectKey, Remembered])[];
  readonly events: readonly Event[];
  /** Limits that were taken back. */
  readonly reverted?: readonly Reverted[];
}

const FORMAT = 1;
const statusFile = (runDirectory: string): string => join(runDirectory, "status.json");
const controllerFile = (runDirectory: string): string => join(runDirectory, "controller.json");

/** Undefined when nobody converged this root since the run directory was made. */
export function loadController(runDirectory: string): Controller | undefined {
  return readJson(controllerFile(runDirectory)) as Controller | undefined;
}

export function saveController(runDirectory: string, controller: Controller): void {
  takeAwayUnfinished(runDirectory);
  replaceFile(controllerFile(runDirectory), `${JSON.stringify(controller)}\n`);
}

/** The state as it was left; empty when there is none, or when it is of another format or damaged. */
export function loadState(runDirectory: string): State {
  const stored = readJson(statusFile(runDirectory)) as (State & { format?: number }) | undefined;
  const whole = stored?.format === FORMAT && [stored.applied, stored.objects, stored.events].every(Array.isArray);
  return whole ? stored : { applied: [], objects: [], events: [] };
}

/** Entries that are written at once. */
const AT_ONCE = 25;

/** What is to be written of many objects is worked out as it is written. */
export interface Savable extends Omit<State, "applied" | "objects"> {
  readonly applied: Iterable<State["applied"][number]>;
  readonly objects: Iterable<State["objects"][number]>;
}

export async function saveState(runDirectory: string, state: Savable): Promise<void> {
  // Specs have variables and headers in them: those are not everybody's business.
  await replaceFileInPieces(statusFile(runDirectory), textOf(state), 0o640);
}

function* textOf({ applied, objects, ...rest }: Savable): Generator<string> {
  yield `${JSON.stringify({ format: FORMAT, ...rest }).slice(0, -1)},"applied":[`;
  yield* entriesOf(applied);
  yield '],"objects":[';
  yield* entriesOf(objects);
  yield "]}\n";
}

function* entriesOf(entries: Iterable<unknown>): Generator<string> {
  let some: string[] = [];
  let first = true;
  const text = (): string => `${first ? "" : ","}${some.join(",")}`;
  for (const entry of entries) {
    some.push(JSON.stringify(entry));
    if (some.length < AT_ONCE) continue;
    yield text();
    [some, first] = [[], false];
  }
  if (some.length > 0) yield text();
}

/** The objects that the last controller had in force: what is broken or gone now was one of them. */
export function lastInForce({ objects }: State): LastInForce {
  const load = (): Manifests => {
    const resources = objects.flatMap(([key, { spec, file, line, annotations }]) => {
      const [kind, name] = key.split("/");
      const metadata = { name, ...(annotations ? { annotations } : {}) };
      const document = { apiVersion: API_VERSION, kind, metadata, ...(spec ? { spec: JSON.parse(spec) as unknown } : {}) };
      // Its text is not kept: the place of each of its fields is that of the document.
      const { resource } = validate(document, { file, line, text: "" });
      return resource ? [[key, resource] as const] : [];
    });
    return { ...NO_MANIFESTS, resources: new Map(resources) };
  };
  return { keys: objects.map(([key]) => key), load };
}
