/** Knows what each object uses, for those who show many: of what is shown everything, of the others no more than they are sorted by. */
import { setImmediate as breath } from "node:timers/promises";
import type { ObjectKey } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Usage } from "../cgroup/usage.ts";
import type { Depth, UsageReader } from "../host/usage.ts";
import { type Desired, pathsByOwner } from "../plan/desired.ts";

/** What is read of an object to each depth that can be asked for; undefined: all there is. */
export const FIELDS = {
  all: undefined,
  cpu: ["cpuUsec"],
  memory: ["memory"],
  io: ["readBytes", "writeBytes"],
  pids: ["pids"],
  nothing: [],
} as const satisfies Partial<Record<Depth, readonly (keyof Usage)[] | undefined>>;
export type AskedDepth = keyof typeof FIELDS;

export interface UsageQuestion {
  /** How much to read of what is not shown. */
  readonly depth: AskedDepth;
  readonly shown: ReadonlySet<ObjectKey>;
  /** The time of the last answer, to the same depth: what is not shown and reads as it did then is left out. */
  readonly since: number | undefined;
}

export interface UsageAnswer {
  /** When it was read, ms on the machine's monotonic clock. */
  readonly time: number;
  readonly usage: Readonly<Record<ObjectKey, Usage>>;
  /** Of what was not read the last time: when it was, on that clock. */
  readonly before: Readonly<Record<ObjectKey, number>>;
}

/** Objects that are read without a pause. */
const AT_ONCE = 50;
/** Where there are so many objects, what did nothing lately is read every so many times, and when that was so long ago, ms. */
const [MANY, TURNS, LONGEST] = [100, 5, 5000];

/** Times are ms on the machine's monotonic clock. */
interface Known {
  readonly usage: Usage;
  /** Since when it reads like that; and when it last read otherwise. */
  readonly time: number;
  readonly from: number | undefined;
  /** When it was read; and when its CPU time was. */
  read: number;
  cpu: number;
}

/** Most of many objects do nothing most of the time: who asks again is told of the others. */
export class UsageOfAll {
  private readonly reader: UsageReader;
  private readonly clock: () => number;
  /** What was read of each object, to a depth. */
  private readonly known = new Map<AskedDepth, Map<ObjectKey, Known>>();
  private turn = 0;
  private last: Promise<unknown> = Promise.resolve();

  constructor(reader: UsageReader, clock = () => Number(process.hrtime.bigint() / 1000n) / 1000) {
    this.reader = reader;
    this.clock = clock;
  }

  /** One after the other: what is found for one while another is half answered would never be told to that. */
  answer(desired: Pick<Desired, "cgroups" | "resources">, question: UsageQuestion): Promise<UsageAnswer> {
    const answer = this.last.then(() => this.find(desired, question));
    this.last = answer.catch(() => {});
    return answer;
  }

  private async find({ cgroups, resources }: Pick<Desired, "cgroups" | "resources">, { depth, shown, since = 0 }: UsageQuestion): Promise<UsageAnswer> {
    const paths = pathsByOwner({ cgroups });
    const time = this.clock();
    const [usage, readBefore]: [Record<ObjectKey, Usage>, Record<ObjectKey, number>] = [{}, {}];
    const turn = ++this.turn % TURNS;
    const inTurns = resources.size > MANY && depth !== "all";
    const [fully, others] = [this.knownTo("all"), this.knownTo(depth)];
    let [count, work] = [0, 0];
    for (const key of resources.keys()) {
      const isShown = shown.has(key);
      if (!isShown && depth === "nothing") continue;
      const to = isShown ? "all" : depth;
      const before = (isShown ? fully : others).get(key);
      // Told of what it did before it may rest.
      const rests = ++count % TURNS !== turn && inTurns && before !== undefined && before.time < since && time - before.read < LONGEST;
      if (rests && !isShown) continue;
      if (++work % AT_ONCE === 0) await breath();
      const owned = paths.get(key) ?? [];
      // Of what is shown there are many files: where no process ran there is nothing new in most of them.
      if (rests && this.ranNot(owned, before)) {
        for (const one of [before, others.get(key)]) if (one) one.cpu = time;
        usage[key] = before.usage;
        continue;
      }
      const now = this.reader.readAll(owned, to);
      const some = FIELDS[depth] ? only(now, FIELDS[depth]) : now;
      const known = learn(isShown ? fully : others, key, isShown ? now : some, time);
      // Others, and who showed it and does so no more, are told what is new against this.
      if (to !== depth) learn(others, key, some, time);
      if (!isShown && known.time <= since) continue;
      usage[key] = known.usage;
      if (known.time > since && known.from !== undefined && known.from < since) readBefore[key] = known.from;
    }
    for (const known of this.known.values()) if (known.size > resources.size) for (const key of known.keys()) if (!resources.has(key)) known.delete(key);
    return { time, usage, before: readBefore };
  }

  private knownTo(depth: AskedDepth): Map<ObjectKey, Known> {
    const known = this.known.get(depth) ?? new Map<ObjectKey, Known>();
    this.known.set(depth, known);
    return known;
  }

  /** Whether no process ran since it was read. */
  private ranNot(owned: readonly CgroupPath[], { usage }: Known): boolean {
    const now = this.reader.readAll(owned, "basics");
    return (now.cpuUsec !== undefined || now.pids === 0) && same(usage, now);
  }
}

function learn(known: Map<ObjectKey, Known>, key: ObjectKey, usage: Usage, time: number): Known {
  const before = known.get(key);
  if (before && isEqual(before.usage, usage)) {
    before.read = before.cpu = time;
    return before;
  }
  const from = before && (before.usage.cpuUsec === usage.cpuUsec ? before.read : before.cpu);
  const now = { usage, time, from, read: time, cpu: time };
  known.set(key, now);
  return now;
}

/** Some of it, as far as there is any. */
export function only(usage: Usage, fields: readonly (keyof Usage)[]): Usage {
  const some: { -readonly [Name in keyof Usage]: Usage[Name] } = {};
  for (const name of fields) if (usage[name] !== undefined) some[name] = usage[name];
  return some;
}

/** Whether both tell the same; what is gone tells nothing. */
export const isEqual = (one: Usage, other: Usage): boolean => same(one, other) && same(other, one);

/** Whether it is as it was, as far as it was read now. */
function same(one: Usage, other: Usage): boolean {
  for (const name in other) if (one[name as keyof Usage] !== other[name as keyof Usage]) return false;
  return true;
}

/** The question as a query, `depth=cpu&since=5.1&shown=LimitGroup/batch,Workload/web`. */
export const queryOf = ({ depth, shown, since }: UsageQuestion): string =>
  `depth=${depth}${since === undefined ? "" : `&since=${since}`}&shown=${[...shown].join(",")}`;

/** Undefined: that is no question. */
export function questionIn(query: URLSearchParams): UsageQuestion | undefined {
  const [depth, since] = [query.get("depth") ?? "all", query.get("since")];
  if (!Object.hasOwn(FIELDS, depth) || (since !== null && !/^\d+(\.\d+)?$/.test(since))) return undefined;
  return {
    depth: depth as AskedDepth,
    since: since === null ? undefined : Number(since),
    shown: new Set((query.get("shown") ?? "").split(",") as ObjectKey[]),
  };
}
