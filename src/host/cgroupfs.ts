/** Knows how to touch cgroup files: few system calls, one write(2) a value, descriptors kept open for a controller that looks often. */
import { closeSync, constants, mkdirSync, openSync, readdirSync, readSync, rmdirSync, statSync, writeSync } from "node:fs";

/** The only ways in which the rest of the program touches a cgroup tree. */
export interface CgroupFiles {
  /** The text of a file; undefined when it, or its cgroup, does not exist. */
  read(file: string): string | undefined;
  /**
   * The texts of several files of one cgroup; the same array as last time when all read the same. Undefined when there is
   * no such cgroup. When `census`, the first file tells which of the others exist (cgroup.controllers).
   */
  readAll(directory: string, names: readonly string[], census?: boolean): readonly (string | undefined)[] | undefined;
  /** One write(2). Throws the kernel's refusal. */
  write(file: string, text: string): void;
  /** One write(2), and what the file reads afterwards. */
  writeAndRead(file: string, text: string): string;
  makeDirectory(directory: string): void;
  removeDirectory(directory: string): void;
  /** Names of the child cgroups; undefined when the directory does not exist. */
  children(directory: string): readonly string[] | undefined;
  /** Lets go of what was kept open. */
  close(): void;
}

const GONE = new Set(["ENOENT", "ENODEV", "EOPNOTSUPP"]);
const NONE: readonly string[] = [];
const isGone = (error: unknown): boolean => GONE.has((error as NodeJS.ErrnoException).code ?? "");

/** The descriptors of one cgroup that are kept open, and what was read last. A file that does not exist has none. */
interface Kept {
  readonly files: readonly (number | undefined)[];
  /** What each file read last, as bytes: an unchanged reading makes no new string. */
  readonly bytes: Buffer[];
  texts: readonly (string | undefined)[];
  children: readonly string[] | undefined;
  /** How often the children were asked for since they were listed. */
  asked: number;
}

/**
 * Of a kept cgroup the children are listed only every so many times: their coming and going raises events, and what
 * this program makes or removes itself it knows.
 */
const LIST_EVERY = 6;

/**
 * The kernel's cgroupfs. `keep`: how many descriptors may stay open; a kept one is read again with pread (2.7 us instead
 * of 13) and says ENODEV once its cgroup is gone, also when another of its name was made. cgroup.procs is never kept: v1
 * caches it for as long as it is held open.
 */
export function kernelFiles(keep = 0): CgroupFiles {
  const cgroups = new Map<string, Kept>();
  let open = 0;
  let buffer = Buffer.allocUnsafe(4096);

  /** Reads a file into the buffer, and tells how much it was. */
  const readInto = (descriptor: number): number => {
    let length = readSync(descriptor, buffer, 0, buffer.length, 0);
    while (length === buffer.length) {
      const larger = Buffer.allocUnsafe(buffer.length * 4);
      buffer.copy(larger);
      buffer = larger;
      length += readSync(descriptor, buffer, length, buffer.length - length, length);
    }
    return length;
  };
  const readDescriptor = (descriptor: number): string => ((length) => buffer.toString("latin1", 0, length))(readInto(descriptor));
  const tryOpen = (path: string): number | undefined => {
    try {
      return openSync(path, constants.O_RDONLY);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  };
  const tryRead = (descriptor: number): string | undefined => {
    try {
      return readDescriptor(descriptor);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  };
  const read = (file: string): string | undefined => {
    const descriptor = tryOpen(file);
    if (descriptor === undefined) return undefined;
    try {
      return tryRead(descriptor);
    } finally {
      closeSync(descriptor);
    }
  };
  const drop = (path: string, { files }: Kept): void => {
    cgroups.delete(path);
    for (const descriptor of files) {
      if (descriptor === undefined) continue;
      closeSync(descriptor);
      open--;
    }
  };
  /** Opens all files of a cgroup for good, when there is room for them. */
  const keepOpen = (path: string, names: readonly string[]): Kept | undefined => {
    if (open + names.length > keep) return undefined;
    const files = names.map((name) => tryOpen(`${path}/${name}`));
    const count = files.filter((descriptor) => descriptor !== undefined).length;
    if (count === 0) return undefined;
    const kept: Kept = { files, bytes: [], texts: NONE, children: undefined, asked: 0 };
    cgroups.set(path, kept);
    open += count;
    return kept;
  };
  const readKept = (kept: Kept): readonly (string | undefined)[] => {
    const { files, bytes, texts } = kept;
    let changed: (string | undefined)[] | undefined;
    for (let index = 0; index < files.length; index++) {
      const descriptor = files[index];
      if (descriptor === undefined) continue;
      let length: number;
      try {
        length = readInto(descriptor);
      } catch (error) {
        if (!isGone(error)) throw error;
        changed ??= Array.from(files, (_, at) => texts[at]);
        changed[index] = undefined;
        continue;
      }
      const before = bytes[index];
      if (before?.length === length && before.compare(buffer, 0, length) === 0) continue;
      bytes[index] = Buffer.from(buffer.subarray(0, length));
      changed ??= Array.from(files, (_, at) => texts[at]);
      changed[index] = buffer.toString("latin1", 0, length);
    }
    if (changed) kept.texts = changed;
    return kept.texts;
  };
  const forgetChildren = (directory: string): void => {
    const above = cgroups.get(directory.slice(0, directory.lastIndexOf("/")));
    if (above) above.children = undefined;
  };
  const list = (directory: string): readonly string[] | undefined => {
    try {
      // The kernel counts child cgroups in the link count: most cgroups need no listing.
      if (statSync(directory).nlink === 2) return NONE;
      return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  };

  return {
    read,
    readAll: (directory, names, census = false) => {
      const known = cgroups.get(directory);
      if (known) {
        const before = known.texts;
        const texts = readKept(known);
        // A file that was there and is not any more: the cgroup went, perhaps for another of its name. And a controller that
        // was handed down brings files of its own.
        const gone = known.files.some((descriptor, index) => descriptor !== undefined && texts[index] === undefined);
        if (!gone && !(census && before[0] !== texts[0])) return texts;
        drop(directory, known);
      }
      const kept = names.length > 0 ? keepOpen(directory, names) : undefined;
      if (kept) return readKept(kept);
      const texts = names.map((name) => read(`${directory}/${name}`));
      return texts.some((text) => text !== undefined) || statSync(directory, { throwIfNoEntry: false }) ? texts : undefined;
    },
    write: (file, text) => {
      const descriptor = openSync(file, constants.O_WRONLY);
      try {
        writeSync(descriptor, text);
      } finally {
        closeSync(descriptor);
      }
    },
    writeAndRead: (file, text) => {
      const descriptor = openSync(file, constants.O_RDWR);
      try {
        writeSync(descriptor, text);
        return readDescriptor(descriptor);
      } finally {
        closeSync(descriptor);
      }
    },
    makeDirectory: (directory) => {
      forgetChildren(directory);
      try {
        mkdirSync(directory);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    },
    removeDirectory: (directory) => {
      forgetChildren(directory);
      try {
        rmdirSync(directory);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    },
    children: (directory) => {
      const kept = cgroups.get(directory);
      if (kept?.children && ++kept.asked % LIST_EVERY !== 0) return kept.children;
      const children = list(directory);
      if (kept) kept.children = children;
      return children;
    },
    close: () => {
      for (const [path, kept] of cgroups) drop(path, kept);
    },
  };
}
