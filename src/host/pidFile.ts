/** Knows the process that a pid file names, as far as whoever wrote the file has a say in that. */
import { closeSync, fstatSync, readFileSync, statSync } from "node:fs";
import { openRegular } from "./regular.ts";

/** Undefined when the file is not there or names nobody; or somebody of another user than the file's owner (root may name anybody). */
export function pidIn(file: string): number | undefined {
  try {
    const descriptor = openRegular(file);
    try {
      const { uid, size } = fstatSync(descriptor);
      const pid = size > 64 ? Number.NaN : Number.parseInt(readFileSync(descriptor, "latin1"), 10);
      if (!(pid > 1)) return undefined;
      return uid === 0 || uid === statSync(`/proc/${pid}`).uid ? pid : undefined;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}
