/** Knows how to read small files of the kernel's with few system calls and little garbage. */
import { closeSync, constants, openSync, readSync } from "node:fs";

/** ENOTSUP: in a threaded cgroup the processes cannot be listed; the one above lists them (cgroup-v2.rst, "Threads"). */
const GONE = new Set(["ENOENT", "ENODEV", "ENOTSUP"]);

/** Whether an error says that a cgroup, or one of its files, is not there to be read. */
export const isGone = (error: unknown): boolean => GONE.has((error as NodeJS.ErrnoException).code ?? "");

/** Shorter values are compared here: a call into C++ costs more than they do. */
const SHORT = 32;

/** One buffer for all files, one after the other. */
export class Reader {
  private buffer = Buffer.allocUnsafe(4096);

  /** A descriptor; undefined when there is no such file. */
  open(file: string): number | undefined {
    try {
      return openSync(file, constants.O_RDONLY);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** Reads a file from its beginning, and tells how many bytes it has. */
  readInto(descriptor: number): number {
    let length = readSync(descriptor, this.buffer, 0, this.buffer.length, 0);
    while (length === this.buffer.length) {
      const larger = Buffer.allocUnsafe(this.buffer.length * 4);
      this.buffer.copy(larger);
      this.buffer = larger;
      length += readSync(descriptor, this.buffer, length, this.buffer.length - length, length);
    }
    return length;
  }

  /** The text that was read. */
  text(length: number): string {
    return this.buffer.toString("latin1", 0, length);
  }

  /** Whether what was read is the same as before: most often it is, and then no string is made. */
  holds(before: string | undefined, length: number): boolean {
    if (before?.length !== length) return false;
    if (length > SHORT) return before === this.text(length);
    for (let at = 0; at < length; at++) if (before.charCodeAt(at) !== this.buffer[at]) return false;
    return true;
  }

  /** The text of a file; undefined when there is none. */
  read(file: string): string | undefined {
    const descriptor = this.open(file);
    if (descriptor === undefined) return undefined;
    try {
      return this.text(this.readInto(descriptor));
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    } finally {
      closeSync(descriptor);
    }
  }
}
