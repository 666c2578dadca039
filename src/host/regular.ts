/** Knows how to read a file that somebody named: a regular one, of a bounded size, and nothing that would make us wait. */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from "node:fs";

/** What is wrong with a file, in words; `code` is ENOENT where it does not exist. */
export class NotReadable extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** Opens a regular file. Throws NotReadable; never waits for somebody at the other end of a pipe. */
export function openRegular(file: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new NotReadable(code === "ENOENT" ? "does not exist" : `cannot be read (${code})`, code);
  }
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw new NotReadable("is no regular file", "EINVAL");
}

export function readRegular(file: string, largest: number): Buffer {
  const descriptor = openRegular(file);
  try {
    const { size } = fstatSync(descriptor);
    if (size > largest) throw new NotReadable(`is larger than ${largest / 1024} KiB`, "EFBIG");
    return readFileSync(descriptor);
  } catch (error) {
    if (error instanceof NotReadable) throw error;
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new NotReadable(`cannot be read (${code})`, code);
  } finally {
    closeSync(descriptor);
  }
}

/** The first bytes of a file. */
export function beginningOf(file: string, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  const descriptor = openSync(file, "r");
  try {
    return buffer.subarray(0, readSync(descriptor, buffer, 0, length, 0));
  } finally {
    closeSync(descriptor);
  }
}
