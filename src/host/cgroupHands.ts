/** Knows the system calls that change a cgroup tree. */
import { closeSync, constants, mkdirSync, openSync, rmdirSync, writeSync } from "node:fs";
import type { Reader } from "./reader.ts";

/** What changes a cgroup tree. A controller of little privilege has it done by another process. */
export interface CgroupHands {
  /** One write(2). Throws the kernel's refusal. */
  write(file: string, text: string): void;
  /** One write(2), and what the file reads afterwards. */
  writeAndRead(file: string, text: string): string;
  makeDirectory(directory: string): void;
  removeDirectory(directory: string): void;
}

export function kernelHands(reader: Reader): CgroupHands {
  const within = <T>(file: string, flags: number, work: (descriptor: number) => T): T => {
    const descriptor = openSync(file, flags);
    try {
      return work(descriptor);
    } finally {
      closeSync(descriptor);
    }
  };
  const unless = (code: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== code) throw error;
    }
  };
  return {
    write: (file, text) => void within(file, constants.O_WRONLY, (descriptor) => writeSync(descriptor, text)),
    writeAndRead: (file, text) =>
      within(file, constants.O_RDWR, (descriptor) => {
        writeSync(descriptor, text);
        return reader.text(reader.readInto(descriptor));
      }),
    makeDirectory: (directory) => unless("EEXIST", () => mkdirSync(directory)),
    removeDirectory: (directory) => unless("ENOENT", () => rmdirSync(directory)),
  };
}
