/** Knows how to hear what the kernel says, from now on (/dev/kmsg; Documentation/ABI/testing/dev-kmsg). */
import { closeSync, constants, openSync, readSync } from "node:fs";

/** The kernel's own limit of a record is 8 KiB. */
const LARGEST = 8192;
/** So many records are read at a time at most: a flood must not keep anybody busy. */
const MOST = 10_000;

export interface KernelLog {
  /** The records since the last call. */
  read(): readonly string[];
  close(): void;
}

/** Throws where it cannot be read. */
export function openKernelLog(): KernelLog {
  const descriptor = openSync("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(LARGEST);
  const read = (): string[] => {
    const records: string[] = [];
    while (records.length < MOST) {
      try {
        records.push(buffer.toString("utf8", 0, readSync(descriptor, buffer, 0, LARGEST, null)));
      } catch (error) {
        // EPIPE: some were overwritten before they were read; the next one can be.
        if ((error as NodeJS.ErrnoException).code !== "EPIPE") break;
      }
    }
    return records;
  };
  // What was said before is not news.
  while (read().length === MOST);
  return { read, close: () => closeSync(descriptor) };
}
