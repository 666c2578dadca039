// Knows how to wait until a kernel file reads a value, closely enough to time it: first without sleeping, then in small steps.
import { closeSync, constants, openSync, readSync } from "node:fs";
import { sleep } from "./sandbox.js";

/** A series of writes or edits ends after so many ms, however few they were: the table tells the number. */
export const LONGEST_SERIES = 45_000;

const SPIN = 5;
const STEP = 0.2;
const buffer = Buffer.alloc(64);

/** An open cgroup file; a kept descriptor reads the value of now. */
export function openFile(path) {
  const descriptor = openSync(path, constants.O_RDONLY);
  return { read: () => buffer.toString("latin1", 0, readSync(descriptor, buffer, 0, buffer.length, 0)).trimEnd(), close: () => closeSync(descriptor) };
}

/** Milliseconds since `start` when the file reads the value; undefined when it does not within `limit` ms. */
export function untilReads(file, value, start, limit) {
  for (;;) {
    const right = file.read() === value;
    const passed = performance.now() - start;
    if (right) return passed;
    if (passed > limit) return undefined;
    if (passed > SPIN) sleep(STEP);
  }
}
