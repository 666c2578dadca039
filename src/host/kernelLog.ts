/** Knows how to hear what the kernel says, from now on (/dev/kmsg; Documentation/ABI/testing/dev-kmsg). */
import { closeSync, constants, openSync, readSync } from "node:fs";

/** The kernel's own limit of a record is 8 KiB. */
const LARGEST = 8192;
/** So many records are read at a time at most: a flood must not keep anybody busy. */
const MOST = 10_000;

export class KernelLog {
  private readonly descriptor: number;
  private readonly buffer = Buffer.alloc(LARGEST);

  /** Throws where it cannot be read. */
  constructor() {
    this.descriptor = openSync("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK);
    // What was said before is not news.
    while (this.read().length === MOST);
  }

  /** The records since the last call. */
  read(): string[] {
    const records: string[] = [];
    while (records.length < MOST) {
      try {
        records.push(this.buffer.toString("utf8", 0, readSync(this.descriptor, this.buffer, 0, LARGEST, null)));
      } catch (error) {
        // EPIPE: some were overwritten before they were read; the next one can be.
        if ((error as NodeJS.ErrnoException).code !== "EPIPE") break;
      }
    }
    return records;
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
