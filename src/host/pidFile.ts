/** Knows the process that a pid file names, as far as whoever wrote the file has a say in that. */
import { closeSync, fstatSync, lstatSync, readFileSync, statSync } from "node:fs";
import { openRegular } from "./regular.ts";

const WRITABLE_BY_OTHERS = 0o022;

/** Undefined when the file is not there or names nobody; or somebody of another user than the owner of the file, or of the link to it (root may name anybody, where nobody else can write). */
export function pidIn(file: string): number | undefined {
  try {
    const descriptor = openRegular(file);
    try {
      const { uid: owner, size, mode } = fstatSync(descriptor);
      const link = lstatSync(file).uid;
      const uid = link === 0 ? owner : link;
      if (uid === 0 && (mode & WRITABLE_BY_OTHERS) !== 0) return undefined;
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
