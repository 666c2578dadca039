/** Knows how root and a user share a directory: each may make and change what is its own, and nobody what is the other's. */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, lstatSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type User, whyUntrusted } from "./trust.ts";

const STICKY = 0o1000;
const GROUP_WRITES = 0o020;

/** Whether a directory is shared so: what is in it may be by the user, and root must not go by it. */
export function isShared(directory: string): boolean {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  return stat !== undefined && (stat.mode & STICKY) !== 0 && (stat.mode & GROUP_WRITES) !== 0;
}

/** Makes a directory of root's alone. Throws when the user could put something else in its place. */
export function ownDirectory(directory: string, user: User, mode = 0o711): void {
  mkdirSync(directory, { recursive: true, mode });
  const why = whyUntrusted(directory, user);
  if (why !== undefined) throw new Error(`${directory} must be root's, and ${why}`);
}

/**
 * Makes it root's, sticky, and writable for the user's group. What root has left by the names of `theirs` before it was shared becomes the user's; later nothing does, because the user could have put it there.
 */
export function shareDirectory(directory: string, user: User, theirs: readonly string[]): void {
  ownDirectory(directory, user, 0o755);
  if (!isShared(directory)) for (const name of theirs) give(join(directory, name), user, () => true);
  within(directory, constants.O_DIRECTORY, (descriptor) => {
    fchownSync(descriptor, 0, user.gid);
    fchmodSync(descriptor, STICKY | 0o770 | (fstatSync(descriptor).mode & 0o005));
  });
}

/** Gives a directory of root's in a shared one to the user, with those of its files that have the right names; anything else of that name is left alone. */
export function giveDirectory(directory: string, user: User, isTheirs: (name: string) => boolean): void {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  if (stat?.isDirectory() && stat.uid === 0) give(directory, user, isTheirs);
}

/** Files that have another name too are left alone, and so is what is no file. */
function give(path: string, user: User, isTheirs: (name: string) => boolean): void {
  within(path, 0, (descriptor) => {
    const stat = fstatSync(descriptor);
    if (stat.uid !== 0) return;
    if (stat.isDirectory()) {
      for (const name of readdirSync(`/proc/self/fd/${descriptor}`).filter(isTheirs))
        within(`/proc/self/fd/${descriptor}/${name}`, 0, (file) => giveFile(file, user));
      fchownSync(descriptor, user.uid, user.gid);
    } else giveFile(descriptor, user);
  });
}

function giveFile(descriptor: number, user: User): void {
  const stat = fstatSync(descriptor);
  if (stat.uid === 0 && stat.isFile() && stat.nlink === 1) fchownSync(descriptor, user.uid, user.gid);
}

/** Links, what is gone, and what cannot be opened at once are passed over. Everything goes by what was opened, not by its name. */
function within(path: string, flags: number, work: (descriptor: number) => void): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, flags | constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (["ELOOP", "ENOENT", "ENXIO", "ENOTDIR", "EAGAIN"].includes((error as NodeJS.ErrnoException).code ?? "")) return;
    throw error;
  }
  try {
    work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
