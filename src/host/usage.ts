/** Knows what a cgroup uses: CPU time, throttling, memory, I/O, processes and pressure, in the same units on cgroup v1 and v2; files are kept open for whoever looks often. */
import { closeSync, openSync, readSync } from "node:fs";
import type { Controllers, Hierarchy } from "../cgroup/hierarchy.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Usage } from "../cgroup/usage.ts";
import { isGone } from "./reader.ts";
import type { Tree } from "./tree.ts";

type Draft = { -readonly [Name in keyof Usage]: Usage[Name] };
/** Takes the text of one file. */
type Take = (text: string, into: Draft) => void;

interface Source {
  readonly controller: string;
  readonly file: string;
  /** Only where somebody looks closely. */
  readonly close?: boolean;
  readonly take: Take;
}

/** The number behind a name of a flat keyed file; undefined where there is no such line. */
function numberOf(text: string, name: string): number | undefined {
  const word = `${name} `;
  let at = text.indexOf(word);
  while (at > 0 && text.charCodeAt(at - 1) !== 10) at = text.indexOf(word, at + 1);
  return at < 0 ? undefined : Number.parseInt(text.slice(at + word.length), 10);
}

const whole = (text: string): number => Number.parseInt(text, 10);
const set =
  (name: keyof Usage, of: (text: string, into: Draft) => number | undefined): Take =>
  (text, into) => {
    into[name] = of(text, into);
  };

/** PSI: percent of the last ten seconds in which some processes waited (Documentation/accounting/psi.rst). */
const pressure =
  (name: "cpuPressure" | "memoryPressure" | "ioPressure"): Take =>
  (text, into) => {
    const found = /^some avg10=([\d.]+)/.exec(text)?.[1];
    if (found !== undefined) into[name] = Number(found);
  };

/** `8:0 rbytes=1 wbytes=2 rios=3 wios=4`, a line for each disk. */
const ioStat: Take = (text, into) => {
  const sum = (name: string): number => [...text.matchAll(new RegExp(` ${name}=(\\d+)`, "g"))].reduce((all, found) => all + Number(found[1]), 0);
  into.readBytes = sum("rbytes");
  into.writeBytes = sum("wbytes");
  into.reads = sum("rios");
  into.writes = sum("wios");
};

/** `8:0 Read 4096`, and a total. */
const blkio =
  (read: "readBytes" | "reads", write: "writeBytes" | "writes"): Take =>
  (text, into) => {
    const sum = (word: string): number => [...text.matchAll(new RegExp(`:\\d+ ${word} (\\d+)`, "g"))].reduce((all, found) => all + Number(found[1]), 0);
    into[read] = sum("Read");
    into[write] = sum("Write");
  };

const SOURCES: Readonly<Record<1 | 2, readonly Source[]>> = {
  2: [
    {
      // Also without the controller: usage alone, of which v1 may tell as well.
      controller: "",
      file: "cpu.stat",
      take: (text, into) => {
        into.cpuUsec ??= numberOf(text, "usage_usec");
        into.throttledUsec ??= numberOf(text, "throttled_usec");
        into.throttledPeriods ??= numberOf(text, "nr_throttled");
      },
    },
    { controller: "memory", file: "memory.current", take: set("memory", whole) },
    { controller: "pids", file: "pids.current", take: set("pids", whole) },
    {
      controller: "memory",
      file: "memory.events",
      close: true,
      take: (text, into) => {
        into.memoryLimitHits = numberOf(text, "max");
        into.oomKills = numberOf(text, "oom_kill");
      },
    },
    { controller: "memory", file: "memory.swap.current", close: true, take: set("swap", whole) },
    { controller: "pids", file: "pids.events", close: true, take: set("pidsLimitHits", (text) => numberOf(text, "max")) },
    { controller: "io", file: "io.stat", close: true, take: ioStat },
    { controller: "", file: "cpu.pressure", close: true, take: pressure("cpuPressure") },
    { controller: "", file: "memory.pressure", close: true, take: pressure("memoryPressure") },
    { controller: "", file: "io.pressure", close: true, take: pressure("ioPressure") },
  ],
  1: [
    { controller: "cpuacct", file: "cpuacct.usage", take: set("cpuUsec", (text) => Math.round(Number.parseInt(text, 10) / 1000)) },
    {
      controller: "cpu",
      file: "cpu.stat",
      take: (text, into) => {
        into.throttledUsec = Math.round((numberOf(text, "throttled_time") ?? 0) / 1000);
        into.throttledPeriods = numberOf(text, "nr_throttled");
      },
    },
    { controller: "memory", file: "memory.usage_in_bytes", take: set("memory", whole) },
    { controller: "pids", file: "pids.current", take: set("pids", whole) },
    { controller: "memory", file: "memory.failcnt", close: true, take: set("memoryLimitHits", whole) },
    { controller: "memory", file: "memory.oom_control", close: true, take: set("oomKills", (text) => numberOf(text, "oom_kill")) },
    {
      controller: "memory",
      file: "memory.memsw.usage_in_bytes",
      close: true,
      take: set("swap", (text, into) => Math.max(0, Number.parseInt(text, 10) - (into.memory ?? 0))),
    },
    { controller: "pids", file: "pids.events", close: true, take: set("pidsLimitHits", (text) => numberOf(text, "max")) },
    { controller: "blkio", file: "blkio.throttle.io_service_bytes", close: true, take: blkio("readBytes", "writeBytes") },
    { controller: "blkio", file: "blkio.throttle.io_serviced", close: true, take: blkio("reads", "writes") },
  ],
};

interface Open {
  readonly source: Source;
  readonly file: string;
  descriptor: number | undefined;
  /** It was not there; it is looked for again after so many times. */
  absent: number;
}

/** A cgroup may come to another hierarchy. */
const LOOK_AGAIN = 30;

export class UsageReader {
  private readonly hierarchies: readonly Hierarchy[];
  private readonly tree: Tree;
  private readonly cgroups = new Map<CgroupPath, readonly Open[]>();
  private readonly keep: number;
  private readonly buffer = Buffer.allocUnsafe(65_536);
  private open = 0;

  /** `keep`: how many files may stay open. */
  constructor({ all }: Controllers, tree: Tree, keep: number) {
    this.hierarchies = all;
    this.tree = tree;
    this.keep = keep;
  }

  /** `closely`: also what takes longer to read. What a kernel, or a cgroup, does not have is undefined. */
  read(path: CgroupPath, closely: boolean): Usage {
    const usage: Draft = {};
    for (const one of this.sourcesOf(path)) {
      if (one.source.close && !closely) continue;
      const text = this.textOf(one);
      if (text !== undefined) one.source.take(text, usage);
    }
    return usage;
  }

  /** Lets go of cgroups that nobody asks for any more. */
  keepOnly(paths: ReadonlySet<CgroupPath>): void {
    for (const [path, files] of this.cgroups) {
      if (paths.has(path)) continue;
      for (const file of files) this.letGo(file);
      this.cgroups.delete(path);
    }
  }

  close(): void {
    this.keepOnly(new Set());
  }

  private sourcesOf(path: CgroupPath): readonly Open[] {
    const known = this.cgroups.get(path);
    if (known) return known;
    const sources = this.hierarchies.flatMap((hierarchy) =>
      SOURCES[hierarchy.version]
        .filter(
          ({ controller }) =>
            controller === "" || hierarchy.offered.has(controller) || (hierarchy.version === 1 && hierarchy.id.split(",").includes(controller)),
        )
        .map((source) => ({ source, file: `${this.tree.directory(hierarchy, path)}/${source.file}`, descriptor: undefined, absent: 0 })),
    );
    this.cgroups.set(path, sources);
    return sources;
  }

  private textOf(one: Open): string | undefined {
    if (one.absent > 0) {
      one.absent--;
      return undefined;
    }
    try {
      const kept = one.descriptor !== undefined;
      one.descriptor ??= openSync(one.file, "r");
      if (!kept) this.open++;
      const text = this.buffer.toString("latin1", 0, readSync(one.descriptor, this.buffer, 0, this.buffer.length, 0));
      if (this.open > this.keep) this.letGo(one);
      return text;
    } catch (error) {
      // Another cgroup of its name has files of its own.
      const again = one.descriptor !== undefined && isGone(error);
      this.letGo(one);
      if (again) return this.textOf(one);
      one.absent = LOOK_AGAIN;
      return undefined;
    }
  }

  private letGo(one: Open): void {
    if (one.descriptor === undefined) return;
    closeSync(one.descriptor);
    one.descriptor = undefined;
    this.open--;
  }
}
