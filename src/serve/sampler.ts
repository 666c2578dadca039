/** Knows what cgroups have used over the last minutes: a sample now and then, and often while somebody watches. */

import type { CgroupPath } from "../cgroup/path.ts";
import type { Usage } from "../cgroup/usage.ts";
import type { UsageReader } from "../host/usage.ts";
import type { How } from "./feed.ts";
import type { Rate } from "./podMetrics.ts";

/** One point of a line: what was used at a time, and per second since the point before. */
export interface Point {
  /** ms since the epoch. */
  readonly time: number;
  /** CPUs at work. */
  readonly cpu: number;
  /** Share of the time in which it was kept from running by its quota. */
  readonly throttled: number;
  readonly memory: number;
  readonly pids: number;
  /** Bytes per second. */
  readonly read: number;
  readonly write: number;
}

/** Between two samples, ms: while nobody watches, and while somebody does. */
const [SELDOM, OFTEN] = [30_000, 2000];
/** Points are kept for so long, ms; and so many over all cgroups. */
const [AGE, MOST] = [300_000, 60_000];
/** Cgroups that are looked at without a pause. */
const AT_ONCE = 25;
/** A sample is fresh for so long, ms. */
const FRESH = 2500;

interface Seen {
  usage: Usage;
  time: number;
  points: Point[];
}

export class Sampler {
  private readonly reader: UsageReader;
  private readonly paths: () => Iterable<CgroupPath>;
  private readonly seen = new Map<CgroupPath, Seen>();
  private timer: NodeJS.Timeout | undefined;
  private watching = 0;
  private ticks = 0;
  /** Cgroups that this sample has still to look at. */
  private rounds: CgroupPath[] = [];
  private next: NodeJS.Immediate | undefined;
  /** When the last sample was, ms since the epoch. */
  private last = 0;
  private readonly hearers: (() => void)[] = [];

  constructor(reader: UsageReader, paths: () => Iterable<CgroupPath>) {
    this.reader = reader;
    this.paths = paths;
  }

  start(): void {
    this.tick();
  }

  close(): void {
    clearTimeout(this.timer);
    clearImmediate(this.next);
    this.reader.close();
  }

  /** Samples often until what is returned is called. */
  watch(): () => void {
    if (this.watching++ === 0) this.tick();
    return () => void this.watching--;
  }

  /** Tells after each sample, from now on. */
  hear(hear: () => void): void {
    this.hearers.push(hear);
  }

  /** What a cgroup uses. */
  usage(path: CgroupPath, how: How): Usage | undefined {
    const known = this.seen.get(path);
    if (how === "sampled" || (how === "fresh" && known && Date.now() - known.time < FRESH)) return known?.usage;
    const usage = this.reader.read(path, how === "closely" ? "all" : "basics");
    return Object.values(usage).some((value) => value !== undefined) ? usage : undefined;
  }

  points(path: CgroupPath): readonly Point[] {
    return this.seen.get(path)?.points ?? [];
  }

  rate(path: CgroupPath): Rate | undefined {
    const points = this.points(path);
    const [before, last] = [points.at(-2), points.at(-1)];
    return before && last && { cpus: last.cpu, memory: last.memory, time: last.time, window: last.time - before.time };
  }

  private tick(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    // What is used per second is known of a time that is not too short.
    if (this.rounds.length === 0 && Date.now() - this.last >= OFTEN / 2) this.begin();
    else this.tell();
    // From one sample alone nothing is known per second.
    this.timer = setTimeout(() => this.tick(), this.watching > 0 || this.ticks++ < 3 ? OFTEN : SELDOM);
  }

  private tell(): void {
    for (const hear of this.hearers) hear();
  }

  private begin(): void {
    this.last = Date.now();
    const paths = new Set(this.paths());
    this.reader.keepOnly(paths);
    for (const path of this.seen.keys()) if (!paths.has(path)) this.seen.delete(path);
    this.rounds = [...paths];
    this.sample(paths.size);
  }

  /** Some cgroups at a time: what the controller has to do comes in between. */
  private sample(all: number): void {
    // One time for all: what was sampled together belongs together.
    const now = this.last;
    const most = Math.max(20, Math.floor(MOST / Math.max(1, all)));
    for (const path of this.rounds.splice(0, AT_ONCE)) {
      const usage = this.reader.read(path, this.watching > 0 ? "all" : "basics");
      const before = this.seen.get(path);
      const points = before?.points ?? [];
      if (before) points.push(pointOf(usage, before, now));
      while (points.length > most || (points[0]?.time ?? now) < now - AGE) points.shift();
      this.seen.set(path, { usage, time: now, points });
    }
    if (this.rounds.length === 0) this.tell();
    else this.next = setImmediate(() => this.sample(all));
  }
}

/** Counters begin anew with a cgroup of the same name: then there is nothing to tell of the time before. */
function pointOf(usage: Usage, before: Pick<Seen, "usage" | "time">, time: number): Point {
  const elapsed = time - before.time;
  const perSecond = (name: "cpuUsec" | "throttledUsec" | "readBytes" | "writeBytes"): number => {
    const [now, then] = [usage[name], before.usage[name]];
    return elapsed > 0 && now !== undefined && then !== undefined && now >= then ? ((now - then) * 1000) / elapsed : 0;
  };
  return {
    time,
    cpu: perSecond("cpuUsec") / 1e6,
    throttled: Math.min(1, perSecond("throttledUsec") / 1e6),
    memory: usage.memory ?? 0,
    pids: usage.pids ?? 0,
    read: perSecond("readBytes"),
    write: perSecond("writeBytes"),
  };
}
