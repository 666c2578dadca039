/** Knows what people ask of the controller beside manifests: small files in the run directory, so that a request outlives it. */
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { readJson, replaceFile } from "./records.ts";
import { isShared } from "./share.ts";

const folderOf = (runDirectory: string): string => join(runDirectory, "restarts");

/** Asks for a restart of all that a workload has running at that time (ms since the epoch). */
export function requestRestart(runDirectory: string, workload: string, at: number): void {
  const folder = folderOf(runDirectory);
  asOwner(folder, () => replaceFile(join(folder, `${workload}.json`), `${JSON.stringify({ at })}\n`));
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
export function restartRequests(runDirectory: string): ReadonlyMap<string, number> {
  const folder = folderOf(runDirectory);
  const requests = new Map<string, number>();
  for (const name of namesIn(folder)) {
    const { at } = (readJson(join(folder, name)) ?? {}) as { at?: unknown };
    if (name.endsWith(".json") && typeof at === "number") requests.set(name.slice(0, -".json".length), at);
  }
  return requests;
}

/** Forgets the request for a workload that is not declared any more. */
export function forgetRestart(runDirectory: string, workload: string): void {
  try {
    rmSync(join(folderOf(runDirectory), `${workload}.json`), { force: true });
  } catch {
    // Somebody else's file in somebody else's directory: it asks for what has been done.
  }
}

/** The directory to watch; made if it is missing, where that is possible. */
export function requestFolder(runDirectory: string): string {
  const folder = folderOf(runDirectory);
  try {
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
  } catch {
    // A run directory that cannot be written takes no requests either.
  }
  return folder;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
