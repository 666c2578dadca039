/** Knows how to touch cgroup files: few system calls, one write(2) a value, descriptors kept open for a controller that looks often. */
import { closeSync, constants, mkdirSync, openSync, readdirSync, readSync, rmdirSync, statSync, writeSync } from "node:fs";

/** The only ways in which the rest of the program touches a cgroup tree. */
export interface CgroupFiles {
  /** The text of a file; undefined when it, or its cgroup, does not exist. */
  read(file: string): string | undefined;
  /** One write(2). Throws the kernel's refusal. */
  write(file: string, text: string): void;
  makeDirectory(directory: string): void;
  removeDirectory(directory: string): void;
  /** Names of the child cgroups; undefined when the directory does not exist. */
  children(directory: string): readonly string[] | undefined;
  /** Lets go of what was kept open. */
  close(): void;
}

const GONE = new Set(["ENOENT", "ENODEV", "EOPNOTSUPP"]);
const NONE: readonly string[] = [];
const code = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

/**
 * The kernel's cgroupfs. `keep`: how many descriptors may stay open; a kept one is read again with pread (2.7 us instead
 * of 13) and says ENODEV once its cgroup is gone. cgroup.procs is never kept: v1 caches it for as long as it is held open.
 */
export function kernelFiles(keep = 0): CgroupFiles {
  const kept = new Map<string, number>();
  let buffer = Buffer.allocUnsafe(4096);

  const readAll = (descriptor: number): string => {
    let length = readSync(descriptor, buffer, 0, buffer.length, 0);
    while (length === buffer.length) {
      const larger = Buffer.allocUnsafe(buffer.length * 4);
      buffer.copy(larger);
      buffer = larger;
      length += readSync(descriptor, buffer, length, buffer.length - length, length);
    }
    return buffer.toString("latin1", 0, length);
  };
  const drop = (file: string, descriptor: number): void => {
    kept.delete(file);
    closeSync(descriptor);
  };
  const readOnce = (file: string): string | undefined => {
    let descriptor: number;
    try {
      descriptor = openSync(file, constants.O_RDONLY);
    } catch (error) {
      if (GONE.has(code(error))) return undefined;
      throw error;
    }
    let keeping = false;
    try {
      const text = readAll(descriptor);
      keeping = kept.size < keep && !file.endsWith("cgroup.procs");
      return text;
    } catch (error) {
      if (GONE.has(code(error))) return undefined;
      throw error;
    } finally {
      if (keeping) kept.set(file, descriptor);
      else closeSync(descriptor);
    }
  };
  return {
    read: (file) => {
      const descriptor = kept.get(file);
      if (descriptor === undefined) return readOnce(file);
      try {
        return readAll(descriptor);
      } catch {
        drop(file, descriptor); // the cgroup went; another of its name may be there
        return readOnce(file);
      }
    },
    write: (file, text) => {
      const descriptor = openSync(file, constants.O_WRONLY);
      try {
        writeSync(descriptor, text);
      } finally {
        closeSync(descriptor);
      }
    },
    makeDirectory: (directory) => {
      try {
        mkdirSync(directory);
      } catch (error) {
        if (code(error) !== "EEXIST") throw error;
      }
    },
    removeDirectory: (directory) => {
      try {
        rmdirSync(directory);
      } catch (error) {
        if (code(error) !== "ENOENT") throw error;
      }
    },
    children: (directory) => {
      try {
        // The kernel counts child cgroups in the link count: most cgroups need no listing.
        if (statSync(directory).nlink === 2) return NONE;
        return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
      } catch (error) {
        if (GONE.has(code(error))) return undefined;
        throw error;
      }
    },
    close: () => {
      for (const [file, descriptor] of kept) drop(file, descriptor);
    },
  };
}
