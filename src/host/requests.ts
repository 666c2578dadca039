/** Knows what people ask of the controller beside manifests: small files in the run directory, so that a request outlives it. */
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ObjectKey } from "../api/resource.ts";
import type { Hold } from "../plan/hold.ts";
import { readJson, replaceFile } from "./records.ts";
import { isShared } from "./share.ts";

/** What can be asked for, and the directory of each. */
type What = "restarts" | "holds";

const fileOf = (runDirectory: string, what: What, name: string): string => join(runDirectory, what, `${name}.json`);

/** Asks for a restart of all that a workload has running at that time (ms since the epoch). */
export const requestRestart = (runDirectory: string, workload: string, at: number): void => request(runDirectory, "restarts", workload, { at });
/** Asks to tolerate manual values on one object for a time. */
export const requestHold = (runDirectory: string, object: ObjectKey, hold: Hold): void => request(runDirectory, "holds", object.replace("/", "+"), hold);

function request(runDirectory: string, what: What, name: string, content: object): void {
  const file = fileOf(runDirectory, what, name);
  asOwner(dirname(file), () => replaceFile(file, `${JSON.stringify(content)}\n`));
}

/** Root does what it does in somebody else's directory as that user, so that no link there can lead it elsewhere. */
function asOwner(directory: string, work: () => void): void {
  const owner = lstatSync(directory, { throwIfNoEntry: false });
  // Whoever shares the directory above could put anything there meanwhile.
  if (!owner && isShared(dirname(directory))) throw Object.assign(new Error(`no controller takes requests now: ${directory} is missing`), { exitCode: 1 });
  const foreign = owner !== undefined && owner.uid !== 0 && process.geteuid?.() === 0;
  if (foreign) process.setgroups?.([owner.gid]);
  if (foreign) process.setegid?.(owner.gid);
  if (foreign) process.seteuid?.(owner.uid);
  try {
    work();
  } finally {
    if (foreign) process.seteuid?.(0);
    if (foreign) process.setegid?.(0);
  }
}

/** Restarts that were asked for, by workload. */
export const restartRequests = (runDirectory: string): ReadonlyMap<string, number> =>
  requests(runDirectory, "restarts", (name, { at }) => (typeof at === "number" ? [name, at] : undefined));

/** Objects of which manual values are tolerated, or were until lately. */
export const holdRequests = (runDirectory: string): ReadonlyMap<ObjectKey, Hold> =>
  requests(runDirectory, "holds", (name, { since, until, reason }) =>
    typeof since === "number" && typeof until === "number" && typeof reason === "string"
      ? [name.replace("+", "/") as ObjectKey, { since, until, reason }]
      : undefined,
  );

function requests<K, V>(
  runDirectory: string,
  what: What,
  read: (name: string, content: Readonly<Record<string, unknown>>) => readonly [K, V] | undefined,
): ReadonlyMap<K, V> {
  const folder = join(runDirectory, what);
  return new Map(
    namesIn(folder).flatMap((name) => {
      const content = name.endsWith(".json") ? (readJson(join(folder, name)) as Readonly<Record<string, unknown>> | undefined) : undefined;
      const found = content && read(name.slice(0, -".json".length), content);
      return found ? [found] : [];
    }),
  );
}

/** Forgets the request for a workload that is not declared any more. */
export const forgetRestart = (runDirectory: string, workload: string): void => forget(fileOf(runDirectory, "restarts", workload));
/** Ends a hold, or forgets one that has ended. */
export const forgetHold = (runDirectory: string, object: ObjectKey): void => forget(fileOf(runDirectory, "holds", object.replace("/", "+")));

function forget(file: string): void {
  try {
    asOwner(dirname(file), () => rmSync(file, { force: true }));
  } catch {
    // Somebody else's file in somebody else's directory: it asks for what has been done.
  }
}

/** The directories to watch; made if they are missing, where that is possible. */
export function requestFolders(runDirectory: string): readonly string[] {
  const folders = (["restarts", "holds"] as const).map((what) => join(runDirectory, what));
  for (const folder of folders) {
    try {
      if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
    } catch {
      // A run directory that cannot be written takes no requests either.
    }
  }
  return folders;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
