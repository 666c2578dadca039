/** Knows what a cgroup uses: CPU time, throttling, memory, I/O, processes and pressure, in the same units on cgroup v1 and v2; files are kept open for whoever looks often. */
import { closeSync } from "node:fs";
import { MEMBERS } from "../api/resource.ts";
import type { Controllers, Hierarchy } from "../cgroup/hierarchy.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { countIn, pressureIn } from "../cgroup/statistics.ts";
import { sumOf, type Usage } from "../cgroup/usage.ts";
import { isGone, Reader } from "./reader.ts";
import type { Tree } from "./tree.ts";

type Draft = { -readonly [Name in keyof Usage]: Usage[Name] };
/** Takes the text of one file. */
type Take = (text: string, into: Draft) => void;

/** What rows are sorted by. */
export type Measure = "cpu" | "memory" | "io" | "pids";
/** How much to read: all there is to tell, what is quick to read, one measure alone, or nothing. */
export type Depth = "all" | "basics" | Measure | "nothing";

interface Source {
  readonly controller: string;
  readonly file: string;
  /** The measure that it tells. */
  readonly of?: Measure;
  /** Only where somebody looks closely. */
  readonly close?: boolean;
  /** Only where nothing else has told that. */
  readonly unless?: keyof Usage;
  readonly take: Take;
}

const isAsked = ({ of, close }: Source, depth: Depth): boolean => depth === "all" || (depth === "basics" ? !close : of === depth);

const whole = (text: string): number => Number.parseInt(text, 10);
const set =
  (name: keyof Usage, of: (text: string, into: Draft) => number | undefined): Take =>
  (text, into) => {
    into[name] = of(text, into);
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

const kills: Take = (text, into) => {
  into.oomKills = (into.oomKills ?? 0) + (countIn(text, "oom_kill") ?? 0);
};

const SOURCES: Readonly<Record<1 | 2, readonly Source[]>> = {
  2: [
    {
      // Also without the controller: usage alone, of which v1 may tell as well.
      controller: "",
      file: "cpu.stat",
      of: "cpu",
      take: (text, into) => {
        into.cpuUsec ??= countIn(text, "usage_usec");
        into.throttledUsec ??= countIn(text, "throttled_usec");
        into.throttledPeriods ??= countIn(text, "nr_throttled");
      },
    },
    { controller: "memory", file: "memory.current", of: "memory", take: set("memory", whole) },
    { controller: "pids", file: "pids.current", of: "pids", take: set("pids", whole) },
    {
      controller: "memory",
      file: "memory.events",
      close: true,
      take: (text, into) => {
        into.memoryLimitHits = countIn(text, "max");
        into.oomKills = countIn(text, "oom_kill");
      },
    },
    { controller: "memory", file: "memory.swap.current", close: true, take: set("swap", whole) },
    { controller: "pids", file: "pids.events", close: true, take: set("pidsLimitHits", (text) => countIn(text, "max")) },
    { controller: "io", file: "io.stat", of: "io", close: true, take: ioStat },
    { controller: "", file: "cpu.pressure", close: true, take: set("cpuPressure", (text) => pressureIn(text, "some")) },
    { controller: "", file: "memory.pressure", close: true, take: set("memoryPressure", (text) => pressureIn(text, "some")) },
    { controller: "", file: "io.pressure", close: true, take: set("ioPressure", (text) => pressureIn(text, "some")) },
  ],
  1: [
    { controller: "cpuacct", file: "cpuacct.usage", of: "cpu", take: set("cpuUsec", (text) => Math.round(Number.parseInt(text, 10) / 1000)) },
    {
      controller: "cpu",
      file: "cpu.stat",
      take: (text, into) => {
        into.throttledUsec = Math.round((countIn(text, "throttled_time") ?? 0) / 1000);
        into.throttledPeriods = countIn(text, "nr_throttled");
      },
    },
    { controller: "memory", file: "memory.usage_in_bytes", of: "memory", take: set("memory", whole) },
    { controller: "pids", file: "pids.current", of: "pids", take: set("pids", whole) },
    { controller: "memory", file: "memory.failcnt", close: true, take: set("memoryLimitHits", whole) },
    { controller: "memory", file: "memory.oom_control", close: true, take: kills },
    // Counted where it was, and not above.
    { controller: "memory", file: `${MEMBERS}/memory.oom_control`, close: true, take: kills },
    {
      controller: "memory",
      file: "memory.memsw.usage_in_bytes",
      close: true,
      take: set("swap", (text, into) => Math.max(0, Number.parseInt(text, 10) - (into.memory ?? 0))),
    },
    { controller: "pids", file: "pids.events", close: true, take: set("pidsLimitHits", (text) => countIn(text, "max")) },
    { controller: "blkio", file: "blkio.throttle.io_service_bytes_recursive", of: "io", close: true, take: blkio("readBytes", "writeBytes") },
    { controller: "blkio", file: "blkio.throttle.io_serviced_recursive", close: true, take: blkio("reads", "writes") },
    // Older kernels tell of the cgroup alone, and not of those below.
    { controller: "blkio", file: "blkio.throttle.io_service_bytes", of: "io", close: true, unless: "readBytes", take: blkio("readBytes", "writeBytes") },
    { controller: "blkio", file: "blkio.throttle.io_serviced", close: true, unless: "reads", take: blkio("reads", "writes") },
  ],
};

interface Open {
  readonly source: Source;
  readonly file: string;
  descriptor: number | undefined;
  /** It was not there, in that round of looking; 0: it was. */
  absent: number;
}

/** What there is to read of a cgroup to each depth, worked out as it is asked for. */
type Files = Partial<Record<Depth, readonly Open[]>> & { all: readonly Open[] };

/** A cgroup may come to another hierarchy: what was not there is looked for again at least so often, ms. */
const LOOK_AGAIN = 30_000;

export class UsageReader {
  private readonly hierarchies: readonly Hierarchy[];
  private readonly tree: Tree;
  private readonly cgroups = new Map<CgroupPath, Files>();
  private readonly keep: number;
  private readonly reader = new Reader();
  private open = 0;
  private round = 1;
  private began = Date.now();

  /** `keep`: how many files may stay open. */
  constructor({ all }: Controllers, tree: Tree, keep: number) {
    this.hierarchies = all;
    this.tree = tree;
    this.keep = keep;
  }

  /** What a kernel, or a cgroup, does not have is undefined. */
  read(path: CgroupPath, depth: Depth): Usage {
    const usage: Draft = {};
    for (const one of this.filesOf(path, depth)) {
      const { unless } = one.source;
      const text = unless !== undefined && usage[unless] !== undefined ? undefined : this.textOf(one);
      if (text === undefined) continue;
      one.source.take(text, usage);
      // Another hierarchy would tell the same again.
      if (one.source.of === depth) break;
    }
    return usage;
  }

  /** What several cgroups use together. */
  readAll(paths: readonly CgroupPath[], depth: Depth): Usage {
    const [first] = paths;
    return first !== undefined && paths.length === 1 ? this.read(first, depth) : sumOf(paths.map((path) => this.read(path, depth)));
  }

  /** Cgroups were made: files that were not there may be there now. */
  lookAgain(): void {
    this.round++;
    this.began = Date.now();
  }

  /** Lets go of cgroups that nobody asks for any more. */
  keepOnly(paths: ReadonlySet<CgroupPath>): void {
    for (const [path, files] of this.cgroups) {
      if (paths.has(path)) continue;
      for (const file of files.all) this.letGo(file);
      this.cgroups.delete(path);
    }
  }

  close(): void {
    this.keepOnly(new Set());
  }

  /** Of a thousand cgroups, asked every second: which files those are is worked out once. */
  private filesOf(path: CgroupPath, depth: Depth): readonly Open[] {
    let known = this.cgroups.get(path);
    if (!known) {
      known = { all: this.hierarchies.flatMap((hierarchy) => this.sourcesIn(hierarchy, path)) };
      this.cgroups.set(path, known);
    }
    known[depth] ??= known.all.filter(({ source }) => isAsked(source, depth));
    return known[depth];
  }

  private sourcesIn(hierarchy: Hierarchy, path: CgroupPath): Open[] {
    return SOURCES[hierarchy.version]
      .filter(
        ({ controller }) => controller === "" || hierarchy.offered.has(controller) || (hierarchy.version === 1 && hierarchy.id.split(",").includes(controller)),
      )
      .map((source) => ({ source, file: `${this.tree.directory(hierarchy, path)}/${source.file}`, descriptor: undefined, absent: 0 }));
  }

  private textOf(one: Open): string | undefined {
    if (one.absent === this.round) {
      if (Date.now() - this.began < LOOK_AGAIN) return undefined;
      this.lookAgain();
    }
    const kept = one.descriptor !== undefined;
    try {
      one.descriptor ??= this.reader.open(one.file);
      if (one.descriptor !== undefined) {
        if (!kept) this.open++;
        const text = this.reader.text(this.reader.readInto(one.descriptor));
        if (this.open > this.keep) this.letGo(one);
        return text;
      }
    } catch (error) {
      this.letGo(one);
      // Another cgroup of its name has files of its own.
      if (kept && isGone(error)) return this.textOf(one);
    }
    one.absent = this.round;
    return undefined;
  }

  private letGo(one: Open): void {
    if (one.descriptor === undefined) return;
    closeSync(one.descriptor);
    one.descriptor = undefined;
    this.open--;
  }
}
