/** Knows `holdfast hold`: for a time, values that somebody writes by hand are left as they are on one object. */
import { userInfo } from "node:os";
import { formatDuration, parseDuration } from "../api/quantity.ts";
import type { ObjectKey } from "../api/resource.ts";
import { forgetHold, requestHold } from "../host/requests.ts";
import { suggest } from "../manifest/suggest.ts";
import { type GlobalOptions, manifestDirectory, openKernel, placesOf, readManifests, UsageError } from "./context.ts";
import { parseTarget } from "./get.ts";
import { note, out } from "./print.ts";

export interface HoldOptions extends GlobalOptions {
  readonly for?: string;
  readonly reason?: string;
  readonly end?: boolean;
}

/** A week: what is longer belongs into the manifest (drift: Report), ms. */
const LONGEST = 7 * 24 * 3_600_000;

export function hold(written: string, options: HoldOptions): number {
  const places = placesOf(options);
  const key = objectNamed(written, options, places.runDirectory);
  if (options.end) {
    forgetHold(places.runDirectory, key);
    out(`${key}: the hold is ended; what was written by hand is reverted`);
    return 0;
  }
  const duration = parseDuration(options.for ?? "");
  if ("bad" in duration || duration.ok < 1_000_000 || duration.ok / 1000 > LONGEST)
    throw new UsageError(`--for: expected a duration of 1s to 168h such as 30m, found ${options.for ?? "nothing"}`);
  const reason = options.reason?.replaceAll(/\s+/g, " ").trim();
  if (!reason) throw new UsageError("--reason: expected why, for whoever finds it (--reason 'load test')");
  const since = Date.now();
  const until = since + duration.ok / 1000;
  requestHold(places.runDirectory, key, { since, until, reason: `${reason} (${userInfo().username})` });
  out(`${key}: values that are written by hand are left as they are for ${formatDuration(duration.ok)}, until ${new Date(until).toISOString()}`);
  if (openKernel(places).controller() === undefined) note("no controller is at work on this root: it counts when one starts, and for apply");
  return 0;
}

/** `batch`, where only one kind has it; `lg/batch`. */
function objectNamed(written: string, options: GlobalOptions, runDirectory: string): ObjectKey {
  const { resources } = readManifests(manifestDirectory(options, runDirectory), options).manifests;
  const [kind, name] = written.includes("/") ? [parseTarget(written, undefined).kind, written.slice(written.indexOf("/") + 1)] : [undefined, written];
  const found = [...resources.keys()].filter((key) => key.endsWith(`/${name}`) && (kind === undefined || key.startsWith(`${kind}/`)));
  if (found.length > 1) throw new UsageError(`${written}: there is more than one (${found.join(", ")}): write lg/${name} or wl/${name}`);
  const [key] = found;
  if (key !== undefined) return key;
  const hint = suggest(
    name,
    [...resources.values()].map((resource) => resource.name),
  );
  throw new UsageError(`${written} not found${hint ? ` (${hint})` : ""}`);
}
