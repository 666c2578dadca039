/** Which programs there are on the PATH. */
import { existsSync } from "node:fs";
import { join } from "node:path";

export const onPath = (name: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(":")
    .map((directory) => join(directory, name))
    .find((file) => existsSync(file));

export const has = (name: string): boolean => onPath(name) !== undefined;
