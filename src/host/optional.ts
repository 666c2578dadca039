/** Knows how to read what may not be there, or not be ours to read: undefined then. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export const textIn = (file: string): string | undefined => attempt(() => readFileSync(file, "utf8"));

export const linkIn = (file: string): string | undefined => attempt(() => readlinkSync(file));

/** Names of the directories in one. */
export const directoriesIn = (directory: string): string[] | undefined =>
  attempt(() => readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])));
