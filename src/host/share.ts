/** Knows how root and a user share a directory: each may make and change what is its own, and nobody what is the other's. */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, lstatSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type User, whyUntrusted } from "./trust.ts";

/**
 * Makes it root's, sticky, and writable for the user's group. The directories of `own` in it are root's alone. Throws when the user could
 * put something else in the place of any of them.
 */
export function shareDirectory(directory: string, user: User, own: readonly string[] = []): void {
  for (const path of [directory, ...own.map((name) => join(directory, name))]) {
    mkdirSync(path, { recursive: true, mode: path === directory ? 0o755 : 0o711 });
    const why = whyUntrusted(path, user);
    if (why !== undefined) throw new Error(`${path} must be root's, and ${why}`);
  }
  within(directory, (descriptor) => {
    fchownSync(descriptor, 0, user.gid);
    fchmodSync(descriptor, 0o1770 | (fstatSync(descriptor).mode & 0o005));
  });
}

/**
 * Gives what is root's, a file or a directory with all that is in it, to the user. Each step goes by what was opened, not by its name, so that
 * no link leads elsewhere; a file with another name is left alone.
 */
export function give(path: string, user: User): void {
  within(path, (descriptor) => {
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) for (const name of readdirSync(`/proc/self/fd/${descriptor}`)) give(`/proc/self/fd/${descriptor}/${name}`, user);
    if (stat.uid === 0 && (stat.isDirectory() || (stat.isFile() && stat.nlink === 1))) fchownSync(descriptor, user.uid, user.gid);
  });
}

/** Whether a directory is there, and root's: then all that is in it is by root too. */
export const isRoots = (directory: string): boolean => lstatSync(directory, { throwIfNoEntry: false })?.uid === 0;

/** Links, and what is gone, are passed over. */
function within(path: string, work: (descriptor: number) => void): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (["ELOOP", "ENOENT", "ENXIO"].includes((error as NodeJS.ErrnoException).code ?? "")) return;
    throw error;
  }
  try {
    work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
