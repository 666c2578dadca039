/** Knows how to touch cgroup files: few system calls, one write(2) a value, descriptors kept open for a controller that looks often. */
import { closeSync, readdirSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type CgroupHands, kernelHands } from "./cgroupHands.ts";
import { isGone, Reader } from "./reader.ts";

/** The only ways in which the rest of the program touches a cgroup tree. */
export interface CgroupFiles extends CgroupHands {
  /** The text of a file; undefined when it, or its cgroup, does not exist. */
  read(file: string): string | undefined;
  /**
   * The texts of several files of one cgroup; the same array as last time when all read the same. Undefined when there is
   * no such cgroup.
   */
  readAll(directory: string, names: readonly string[], how?: ReadAll): readonly (string | undefined)[] | undefined;
  /**
   * Each cgroup of which files are kept open, and whether one reads otherwise than last time, or not at all. One pread(2) a
   * file, and nothing else: most of the time nothing has changed. Read as it is asked for.
   */
  changed(): Iterable<{ readonly directory: string; readonly changed: boolean }>;
  /** Whether any of a cgroup's files is kept open. */
  isKept(directory: string): boolean;
  /** Asks the kernel for memory of a cgroup; it gives what it can (memory.reclaim, Linux 5.19). */
  reclaim(directory: string, bytes: number): Promise<void>;
  /** Names of the child cgroups; undefined when the directory does not exist. */
  children(directory: string): readonly string[] | undefined;
  /** The same, as it was listed some looks ago: for who looks again, and is told by an event. */
  knownChildren(directory: string): readonly string[] | undefined;
  /** Which directory it is: another of its name has another number. Undefined: there is none. */
  inode(directory: string): string | undefined;
  /** Lets go of what was kept open. */
  close(): void;
}

interface ReadAll {
  /** The first file tells which of the others exist (cgroup.controllers). */
  readonly census?: boolean;
  /** The files that matter most, by index: they are kept open, where there is room. Without it: all. */
  readonly declared?: readonly boolean[] | undefined;
  /** Nothing has changed but, perhaps, these: of the others only the declared ones are read, and none when these are none. */
  readonly touched?: ReadonlySet<string> | undefined;
}

const NONE: readonly string[] = [];

interface Kept {
  readonly files: (number | undefined)[];
  /** What each file read last. */
  texts: readonly (string | undefined)[];
  children: readonly string[] | undefined;
  /** How often the children were asked for since they were listed. */
  asked: number;
  /** This program has written to a file since: what the files read last is out of date. */
  written: boolean;
}

/**
 * Of a kept cgroup the children are listed only every so many times: their coming and going raises events, and what
 * this program makes or removes itself it knows.
 */
const LIST_EVERY = 6;

/**
 * The kernel's cgroupfs. `hands`: who changes it, if not this process. `keep`: how many descriptors may stay open; a kept one is read again with pread (2.7 us instead
 * of 13) and says ENODEV once its cgroup is gone, also when another of its name was made. cgroup.procs is never kept: v1
 * caches it for as long as it is held open.
 */
export function kernelFiles(keep = 0, hands?: CgroupHands): CgroupFiles {
  const cgroups = new Map<string, Kept>();
  let open = 0;
  const reader = new Reader();
  const { write, writeAndRead, makeDirectory, removeDirectory } = hands ?? kernelHands(reader);

  const drop = (path: string, { files }: Kept): void => {
    cgroups.delete(path);
    for (const descriptor of files) {
      if (descriptor === undefined) continue;
      closeSync(descriptor);
      open--;
    }
  };
  /** Opens a file of a cgroup for good, when there is room for it. */
  const keepOpen = (file: string, files: (number | undefined)[], index: number): number | undefined => {
    if (open >= keep) return undefined;
    const descriptor = reader.open(file);
    files[index] = descriptor;
    if (descriptor !== undefined) open++;
    return descriptor;
  };
  /** Reads the files of a kept cgroup; undefined when it went, perhaps for another of its name. */
  const readKept = (directory: string, names: readonly string[], kept: Kept, { census, declared, touched: told }: ReadAll): Kept["texts"] | undefined => {
    const { files, texts } = kept;
    const touched = kept.written ? undefined : told;
    kept.written = false;
    const first = texts === NONE;
    if (touched?.size === 0 && !first) return texts;
    // At least one: it tells whether the cgroup is still the same one.
    const any = declared?.includes(true);
    let changed: (string | undefined)[] | undefined;
    const found = (index: number, text: string | undefined): void => {
      changed ??= first ? Array<string | undefined>(names.length) : texts.slice();
      changed[index] = text;
    };
    for (let index = 0; index < names.length; index++) {
      const matters = !declared || declared[index] || (index === 0 && !any);
      const file = files[index] === undefined ? `${directory}/${names[index]}` : "";
      const descriptor = files[index] ?? (matters ? keepOpen(file, files, index) : undefined);
      if (descriptor === undefined) {
        if (!first && touched?.has(names[index] ?? "") === false) continue;
        const text = reader.read(file);
        if (text !== texts[index] || first) found(index, text);
        continue;
      }
      let length: number;
      try {
        length = reader.readInto(descriptor);
      } catch (error) {
        if (!isGone(error)) throw error;
        return undefined;
      }
      if (!reader.holds(texts[index], length)) found(index, reader.text(length));
    }
    // A controller that was handed down, or is not any more, takes its files along.
    if (census && !first && changed && changed[0] !== texts[0]) return undefined;
    if (changed) kept.texts = changed;
    return kept.texts;
  };
  const reads = (descriptor: number, before: string | undefined): boolean => {
    try {
      return reader.holds(before, reader.readInto(descriptor));
    } catch {
      return false; // it is gone, or cannot be read: a proper look tells which
    }
  };
  const noteWrite = (file: string): void => {
    const kept = cgroups.get(file.slice(0, file.lastIndexOf("/")));
    if (kept) kept.written = true;
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
    read: (file) => reader.read(file),
    readAll: (directory, names, how = {}) => {
      const known = cgroups.get(directory);
      const again = known && readKept(directory, names, known, how);
      if (again) return again;
      if (known) drop(directory, known);
      if (open < keep && names.length > 0) {
        const kept: Kept = { files: Array<number | undefined>(names.length), texts: NONE, children: undefined, asked: 0, written: false };
        cgroups.set(directory, kept);
        const texts = readKept(directory, names, kept, how);
        if (texts?.some((text) => text !== undefined)) return texts;
        drop(directory, kept);
      }
      const texts = names.map((name) => reader.read(`${directory}/${name}`));
      return texts.some((text) => text !== undefined) || statSync(directory, { throwIfNoEntry: false }) ? texts : undefined;
    },
    changed: function* () {
      for (const [directory, { files, texts }] of cgroups)
        yield { directory, changed: files.some((descriptor, index) => descriptor !== undefined && !reads(descriptor, texts[index])) };
    },
    isKept: (directory) => cgroups.has(directory),
    write: (file, text) => {
      noteWrite(file);
      write(file, text);
    },
    writeAndRead: (file, text) => {
      noteWrite(file);
      return writeAndRead(file, text);
    },
    // Without the hands to do it, memory.high alone does the same more slowly.
    reclaim: (directory, bytes) => (hands ? Promise.resolve() : writeFile(`${directory}/memory.reclaim`, String(bytes), { flag: "r+" }).catch(() => {})),
    makeDirectory: (directory) => {
      forgetChildren(directory);
      makeDirectory(directory);
    },
    removeDirectory: (directory) => {
      forgetChildren(directory);
      removeDirectory(directory);
    },
    children: list,
    knownChildren: (directory) => {
      const kept = cgroups.get(directory);
      if (kept?.children && ++kept.asked % LIST_EVERY !== 0) return kept.children;
      const children = list(directory);
      if (kept) kept.children = children;
      return children;
    },
    inode: (directory) => statSync(directory, { throwIfNoEntry: false, bigint: true })?.ino.toString(),
    close: () => {
      for (const [path, kept] of cgroups) drop(path, kept);
    },
  };
}
