/** Knows the manifest directory: which files count, whether they are whole, and what is in them. Level-triggered: every look is a look at what is there now. */
import { type BigIntStats, closeSync, type Dirent, lstatSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import type { Problem } from "../api/problem.ts";
import { type FileContent, LARGEST_FILE } from "../manifest/read.ts";

/** A file that is written in place is read when it has been quiet this long, ms; one that was renamed into place at once. */
const QUIET = 40;
/** A file that was last changed this long ago is not being written, ms. */
const SETTLED = 2000;
/** When nothing in the tree has changed for this long, ms, no checkout, copy or slow writer is at work. */
const CALM = 1000;
const DEEPEST = 32;
const MOST_FILES = 20_000;

interface Entry {
  readonly stamp: string;
  readonly inode: bigint;
  /** ms since the epoch. */
  readonly mtime: number;
  readonly content: FileContent;
}

/** What a look found. */
export interface Look {
  /** All files; or, where only some were looked at, those alone. */
  readonly contents: readonly FileContent[];
  readonly part: boolean;
  /** Look again in so many ms: a file is being written. */
  readonly again: number | undefined;
  /** So many ms until the tree may be called calm; 0 when it is. What takes something away should wait until then. */
  readonly calmIn: number;
}

export class ManifestDirectory {
  readonly path: string;
  private entries = new Map<string, Entry>();
  private whole: Problem[] = [];
  private first = true;
  /** When a look last found anything different. */
  private changedAt = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Looks at the whole tree. */
  scan(): Look {
    this.whole = [];
    const seen = new Map<string, Entry>();
    const ages: number[] = [];
    for (const file of this.list()) {
      const { entry, again } = this.lookAt(file);
      if (entry) seen.set(file, entry);
      if (again !== undefined) ages.push(again);
    }
    if (seen.size !== this.entries.size || [...seen].some(([file, entry]) => this.entries.get(file) !== entry)) this.changed();
    // The first look may come in the middle of it.
    if (this.first) for (const { mtime } of seen.values()) if (mtime <= Date.now()) this.changedAt = Math.max(this.changedAt, mtime);
    this.entries = seen;
    this.first = false;
    const problems = this.whole.map((problem) => ({ path: problem.file, problem }));
    return { contents: [...problems, ...[...seen.values()].map(({ content }) => content)], part: false, again: soonest(ages), calmIn: this.calmIn() };
  }

  private changed(): void {
    if (!this.first) this.changedAt = Date.now();
  }

  private calmIn(): number {
    return Math.max(0, this.changedAt + CALM - Date.now());
  }

  /** Looks at some files alone; undefined when that is not enough and the tree must be scanned. */
  look(files: ReadonlySet<string>): Look | undefined {
    const ages: number[] = [];
    const contents: FileContent[] = [];
    for (const file of files) {
      if (!this.entries.has(file)) return undefined;
      const { entry, again } = this.lookAt(file);
      if (!entry) return undefined;
      if (this.entries.get(file) !== entry) this.changed();
      this.entries.set(file, entry);
      contents.push(entry.content);
      if (again !== undefined) ages.push(again);
    }
    return { contents, part: true, again: soonest(ages), calmIn: this.calmIn() };
  }

  /** All manifest files below the directory, in a stable order. */
  private list(): string[] {
    const found: string[] = [];
    const visit = (directory: string, above: readonly string[]): void => {
      let names: Dirent[];
      let real: string;
      try {
        real = realpathSync(directory);
        names = readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const gone = code === "ENOENT";
        this.whole.push(
          problemOf(
            directory,
            gone
              ? "the manifest directory does not exist"
              : code === "ELOOP"
                ? "a symbolic link leads back to itself"
                : `the directory cannot be read (${code})`,
            gone ? "nothing is pruned until it is back" : undefined,
          ),
        );
        return;
      }
      // Two ways to one directory are fine, a way back to a directory above is a loop.
      const loop = above.includes(real);
      if (loop || above.length >= DEEPEST) {
        const message = loop ? "a symbolic link leads back to a directory above it" : `expected at most ${DEEPEST} levels of directories`;
        this.whole.push(problemOf(directory, message, loop ? "remove the link" : undefined));
        return;
      }
      for (const entry of names) {
        const { name } = entry;
        if (name.startsWith(".")) continue;
        const path = `${directory}/${name}`;
        const isDirectory = entry.isSymbolicLink() ? leadsToDirectory(path) : entry.isDirectory();
        if (isDirectory) visit(path, [...above, real]);
        else if (isManifestName(name)) found.push(path);
        if (found.length > MOST_FILES) return;
      }
    };
    if (typeof stampOf(this.path) === "object" && statSync(this.path).isFile()) return [this.path];
    visit(this.path, []);
    if (found.length > MOST_FILES) {
      this.whole.push(problemOf(this.path, `expected at most ${MOST_FILES} manifest files`));
      return [];
    }
    return found;
  }

  private lookAt(file: string): { entry: Entry | undefined; again?: number } {
    const before = stampOf(file);
    const known = this.entries.get(file);
    if (before === undefined) return { entry: undefined };
    if (typeof before === "string") return { entry: { stamp: "", inode: 0n, mtime: 0, content: { path: shownPath(file), problem: problemOf(file, before) } } };
    const stamp = stampText(before);
    if (known?.stamp === stamp) return { entry: known };
    const mtime = Number(before.mtimeNs / 1_000_000n);
    const age = Date.now() - mtime;
    const young = age >= 0 && age < QUIET;
    const renamedIntoPlace = known !== undefined && known.inode !== before.ino;
    // At the very first look nothing is in force yet, and an unfinished file could only be broken: read it.
    if (!this.first && young && !renamedIntoPlace) return { entry: known, again: QUIET - age };
    const content = readWhole(file, before);
    // Only what changed a moment ago may be changing now.
    const after = age < SETTLED ? stampOf(file) : before;
    const torn = typeof after !== "object" || stampText(after) !== stamp;
    if (torn && known) return { entry: known, again: QUIET };
    if (known && age >= 0 && age < CALM && isBeginning(content, known.content)) return { entry: known, again: CALM - age };
    return {
      entry: { stamp: torn ? "" : stamp, inode: before.ino, mtime, content: renamedIntoPlace ? { ...content, whole: true } : content },
      ...(torn ? { again: QUIET } : {}),
    };
  }
}

const soonest = (ages: readonly number[]): number | undefined => (ages.length > 0 ? Math.max(1, Math.min(...ages)) : undefined);

const stampText = ({ ino, mtimeNs, ctimeNs, size }: BigIntStats): string => `${ino}:${mtimeNs}:${ctimeNs}:${size}`;

/** An empty or cut file may be one that is being written. */
function isBeginning(content: FileContent, before: FileContent): boolean {
  return "text" in content && "text" in before && content.text.length < before.text.length && before.text.startsWith(content.text);
}

/** `*.yaml` and `*.yml` that are no leftovers of an editor; hidden names are not even listed. */
export function isManifestName(name: string): boolean {
  return /\.ya?ml$/.test(name) && !name.startsWith(".") && !name.startsWith("#") && !name.startsWith("~");
}

/** How directories are shown, by path. */
const shownDirectories = new Map<string, string>();

function shownPath(file: string): string {
  const name = file.slice(file.lastIndexOf("/") + 1);
  const directory = file.slice(0, file.length - name.length);
  let shown = shownDirectories.get(directory);
  if (shown === undefined) {
    const near = relative(process.cwd(), resolve(directory));
    shown = near.startsWith("..") || process.cwd() === "/" ? directory : near && `${near}/`;
    shownDirectories.set(directory, shown);
  }
  const path = shown + name;
  // One problem is one line, whatever a file is called.
  return /\p{Cc}/u.test(path) ? JSON.stringify(path) : path;
}

function problemOf(file: string, message: string, hint?: string): Problem {
  return { reason: "FileUnreadable", file: shownPath(file), line: 0, column: 0, pointer: "", message, ...(hint ? { hint } : {}) };
}

/** The state of a file; undefined when there is none, words when a link leads nowhere or the way is barred. */
function stampOf(file: string): BigIntStats | string | undefined {
  try {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    return stat ?? (lstatSync(file, { throwIfNoEntry: false }) ? "the file does not exist (a broken link)" : undefined);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ELOOP" ? "a symbolic link leads back to itself" : `the file cannot be read (${code})`;
  }
}

/** Whether a path is a directory, or a link to one. */
export function leadsToDirectory(link: string): boolean {
  try {
    return statSync(link, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return false; // it is looked at as a file, and the reason is told there
  }
}

function readWhole(file: string, stat: BigIntStats): FileContent {
  const path = shownPath(file);
  const problem = (reason: Problem["reason"], message: string, hint?: string): FileContent => ({
    path,
    problem: { ...problemOf(file, message, hint), reason },
  });
  if (!stat.isFile()) return problem("FileUnreadable", "expected a regular file", "it is a device, a pipe or a socket");
  if (stat.size > LARGEST_FILE)
    return problem("FileTooLarge", `expected at most 1 MiB, found ${(Number(stat.size) / 1048576).toFixed(2)} MiB`, "split it into several files");
  try {
    const descriptor = openSync(file, "r");
    try {
      const buffer = Buffer.allocUnsafe(Number(stat.size));
      let length = 0;
      for (let count = -1; count !== 0 && length < buffer.length; length += count) count = readSync(descriptor, buffer, length, buffer.length - length, null);
      return { path, text: buffer.toString("utf8", 0, length) };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return problem(
      "FileUnreadable",
      `the file cannot be read (${code})`,
      code === "EACCES" ? `it belongs to uid ${stat.uid}, mode ${(Number(stat.mode) & 0o777).toString(8)}` : undefined,
    );
  }
}
