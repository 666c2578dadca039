/** Knows how to hear what the kernel says, from now on (/dev/kmsg; Documentation/ABI/testing/dev-kmsg). */
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";

/** The kernel's own limit of a record is 8 KiB. */
const LARGEST = 8192;
/** So many records are read at a time at most: a flood must not keep anybody busy. */
const MOST = 10_000;

export interface KernelLog {
  /** The records since the last call. */
  read(): readonly string[];
  close(): void;
}

/** Begins with what was said since then (ms since the epoch); without that, since this process began. Throws where it cannot be read. */
export function openKernelLog(since = Date.now() - process.uptime() * 1000): KernelLog {
  const descriptor = openSync("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(LARGEST);
  // Seconds since boot, as records count them.
  const began = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) - (Date.now() - since) / 1000;
  const read = (): string[] => {
    const records: string[] = [];
    for (let count = 0; count < MOST; count++) {
      try {
        const record = buffer.toString("utf8", 0, readSync(descriptor, buffer, 0, LARGEST, null));
        if (timeOf(record) >= began) records.push(record);
      } catch (error) {
        // EPIPE: some were overwritten before they were read; the next one can be.
        if ((error as NodeJS.ErrnoException).code !== "EPIPE") break;
      }
    }
    return records;
  };
  return { read, close: () => closeSync(descriptor) };
}

/** `6,339,5140900,-;text`: priority, number, microseconds. */
const timeOf = (record: string): number => Number(record.split(",", 3)[2]) / 1_000_000;
