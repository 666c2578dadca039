/** Knows how kernel files spell values: reading them back, writing them, and what the kernel makes of what is written. */

/** A value of a kernel file, in canonical form: the file's own text, with `max` for every way to say "unlimited". */
export type FileValue = string;

/** How one cgroup interface file reads and writes. */
export interface KernelFile {
  readonly name: string;
  /** The file to read instead, where what was written cannot be read back from the file itself. */
  readonly readFrom?: string;
  /** Reads the text to canonical values by key; a file with one value has the one key "". */
  readonly entries: (text: string) => readonly (readonly [key: string, value: FileValue])[];
  /** The value of a key that is not set: the kernel's default for a new cgroup. */
  readonly initial: (key: string) => FileValue;
  /** The text of one write(2). */
  readonly text: (key: string, value: FileValue) => string;
  /** What reads back after a value was written: pages are rounded down, huge numbers are unlimited. */
  readonly settle: (value: FileValue, pageSize: number) => FileValue;
  /** Whether going from one value to the other gives the group more room. */
  readonly widens: (from: FileValue, to: FileValue) => boolean;
  /** What a kernel must have for the file to exist, in words. */
  readonly needs: string;
  /** A file that, while it is 1, makes this one the kernel's own business; leaving that state resets this one. */
  readonly heldBy?: string;
  /** The file that tells what is in use, where the kernel kills until a smaller value fits. */
  readonly usage?: string;
}

const same = (value: FileValue): FileValue => value;
const single = (read: (text: string) => FileValue) => (text: string) => [["", read(text.trim())]] as const;
const amount = (value: FileValue): number => (value === "max" ? Number.POSITIVE_INFINITY : Number(value));
const grows = (from: FileValue, to: FileValue): boolean => amount(to) > amount(from);

interface Options {
  readonly initial?: string;
  readonly needs?: string;
  readonly readFrom?: string;
  readonly heldBy?: string;
  readonly usage?: string;
}

/** A file with one number or word. */
export function scalarFile(name: string, { initial = "max", needs = "", ...rest }: Options = {}): KernelFile {
  return { name, needs, ...rest, entries: single(same), initial: () => initial, text: (_, value) => value, settle: same, widens: grows };
}

/** Numbers from here on are how kernels print "unlimited" (PAGE_COUNTER_MAX times the page or huge page size). */
const UNLIMITED_FROM = 2n ** 63n - 2n ** 34n;

const readBytes = (text: string): FileValue => (text === "max" || text === "-1" || (/^\d{19,}$/.test(text) && BigInt(text) >= UNLIMITED_FROM) ? "max" : text);

/** Rounds down to whole pages, as page_counter and hugetlb_cgroup do. */
function wholePages(value: FileValue, page: number): FileValue {
  if (value === "max") return value;
  const number = Number(value);
  if (number <= Number.MAX_SAFE_INTEGER - page) return String(number - (number % page));
  const exact = BigInt(value);
  return readBytes(String(exact - (exact % BigInt(page))));
}

/** A file of bytes; v1 writes unlimited as -1, v2 as max. `page`: the huge page size, where it is not the machine's. */
export function bytesFile(name: string, { unlimited = "max", page, ...options }: Options & { unlimited?: "max" | "-1"; page?: number } = {}): KernelFile {
  return {
    ...scalarFile(name, options),
    entries: single(readBytes),
    text: (_, value) => (value === "max" ? unlimited : value),
    settle: (value, pageSize) => wholePages(value, page ?? pageSize),
  };
}

/** v1 cpu.cfs_quota_us: every negative number is unlimited. */
export function quotaFile(name: string): KernelFile {
  return { ...scalarFile(name), entries: single((text) => (text.startsWith("-") ? "max" : text)), text: (_, value) => (value === "max" ? "-1" : value) };
}

const members = (list: FileValue): Set<number> => {
  const all = new Set<number>();
  for (const part of list.split(",").filter(Boolean)) {
    const [first = 0, last = first] = part.split("-").map(Number);
    for (let member = first; member <= last; member++) all.add(member);
  }
  return all;
};

/** A list of CPUs or memory nodes. Clearing takes a newline: an empty write does nothing. */
export function listFile(name: string, options: Options = {}): KernelFile {
  return {
    ...scalarFile(name, { initial: "", ...options }),
    text: (_, value) => (value === "" ? "\n" : value),
    widens: (from, to) => {
      const before = members(from);
      const after = members(to);
      return from === "" || (to !== "" && [...before].every((member) => after.has(member)));
    },
  };
}

/** Both lists together: where a group must pass on its way from one list to another that is neither wider nor narrower. */
export function unionOfLists(one: FileValue, other: FileValue): FileValue {
  const all = [...new Set([...members(one), ...members(other)])].sort((a, b) => a - b);
  return all.join(",");
}

/** `QUOTA PERIOD`: more room when the ratio grows. */
export function bandwidthFile(name: string): KernelFile {
  const ratio = (value: FileValue): number => {
    const [quota = "max", period = "100000"] = value.split(" ");
    return amount(quota) / Number(period);
  };
  return { ...scalarFile(name, { initial: "max 100000" }), widens: (from, to) => ratio(to) > ratio(from) };
}

/** A file of `KEY VALUE` lines, one device a line and one line a write. */
export function keyedFile(name: string, { initial, needs = "", unset }: Options & { initial: string; unset?: Readonly<Record<string, string>> }): KernelFile {
  const lines = (text: string): [string, FileValue][] =>
    text
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const blank = line.indexOf(" ");
        // blkio.bfq.weight reads as a bare number when there are no devices.
        return blank < 0 ? ["default", line] : [line.slice(0, blank), line.slice(blank + 1).trim()];
      });
  const roomOf = (value: FileValue): number[] => value.split(" ").map((rate) => amount(rate.slice(rate.indexOf("=") + 1).replace(/^0$/, "max")));
  return {
    name,
    needs,
    entries: lines,
    initial: (key) => unset?.[key] ?? initial,
    text: (key, value) => `${key} ${value}`,
    settle: same,
    widens: (from, to) => {
      const before = roomOf(from);
      return roomOf(to).every((room, index) => room >= (before[index] ?? 0));
    },
  };
}
