/** Knows what each object uses from look to look: of what is shown everything, of the others what they are sorted by. */
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { Usage } from "../cgroup/usage.ts";
import { pathsByOwner } from "../plan/desired.ts";
import { FIELDS, isEqual, only } from "../serve/usageOfAll.ts";
import type { Opened } from "./context.ts";
import type { Followed } from "./followManifests.ts";
import type { UsageSource } from "./served.ts";
import { COUNTERS, type Counter, type Rates, rowOf, type Sort, type TopRow } from "./topRows.ts";

export const NOTHING: ReadonlySet<ObjectKey> = new Set();

/** What is used per second is known of a time that is not too short: looks are so far apart at least, ms. */
export const SHORTEST = 100;

type Fields = readonly (keyof Usage)[];
/** Of what is told in full only the counters are looked at one by one. */
const ALL: Fields = COUNTERS;
const isCounter = (name: keyof Usage): name is Counter => (COUNTERS as Fields).includes(name);

/** A counter, and when it was that, ms. */
interface Base {
  readonly value: number;
  readonly time: number;
}

interface Known {
  readonly resource: Resource;
  readonly cgroups: number;
  readonly usage: Usage;
  /** Of what the last look told, and no more: a counter of another time would be divided by the wrong one. */
  readonly bases: Partial<Record<Counter, Base>>;
  readonly rates: Rates;
  readonly row: TopRow;
  /** What the last look told of it, where it used nothing of that; and until when that holds, ms. */
  readonly restsIn: Fields | undefined;
  until: number;
}

/** What a look told of one object. */
interface Told {
  /** Undefined: all reads as before. */
  readonly told: Usage | undefined;
  readonly fields: Fields;
  readonly time: number;
  /** Since when it may have been used. */
  readonly from: number | undefined;
}

/** Looks at all objects again and again. */
export class Meter {
  private readonly opened: Pick<Opened, "engine">;
  private readonly source: UsageSource;
  private readonly manifests: Followed | undefined;
  private readonly known = new Map<ObjectKey, Known>();
  private rows: readonly TopRow[] = [];
  /** The answer before: what it told of what was not shown, and when. */
  private last: { readonly fields: Fields; readonly time: number } | undefined;

  constructor(opened: Pick<Opened, "engine">, source: UsageSource, manifests?: Followed) {
    this.opened = opened;
    this.source = source;
    this.manifests = manifests;
  }

  /** All there is to tell of `shown`, and of the others what they are sorted by; undefined: all of all. */
  async look(sort: Sort | undefined, shown: ReadonlySet<ObjectKey>): Promise<readonly TopRow[]> {
    await this.manifests?.refresh();
    const { desired } = this.opened.engine;
    const owned = pathsByOwner(desired);
    const depth = sort === undefined ? "all" : sort === "name" ? "nothing" : sort;
    const ofOthers = FIELDS[depth] ?? ALL;
    const since = this.last?.fields === ofOthers ? this.last.time : undefined;
    const { time, usage, before } = await this.source.ask({ depth, shown, since });
    this.last = { fields: ofOthers, time };
    const rows = [...desired.resources.values()].map((resource) => {
      const { key } = resource;
      const fields = shown.has(key) ? ALL : ofOthers;
      const cgroups = owned.get(key)?.length ?? 1;
      const told = usage[key];
      const known = this.known.get(key);
      if (told === undefined && known?.restsIn === fields && known.resource === resource && known.cgroups === cgroups) {
        known.until = time;
        return known.row;
      }
      return this.learn(resource, cgroups, { told, fields, time, from: before[key] });
    });
    if (this.known.size > rows.length) for (const key of this.known.keys()) if (!desired.resources.has(key)) this.known.delete(key);
    // The same lines are the same list: what was worked out of it holds.
    if (rows.length !== this.rows.length || rows.some((row, index) => row !== this.rows[index])) this.rows = rows;
    return this.rows;
  }

  private learn(resource: Resource, cgroups: number, { told, fields, time, from }: Told): TopRow {
    const before = this.known.get(resource.key);
    const isSame = before !== undefined && before.resource === resource && before.cgroups === cgroups;
    const usage = told ?? before?.usage ?? {};
    const bases: Partial<Record<Counter, Base>> = {};
    const rates: Partial<Record<Counter, number>> = {};
    for (const name of fields) {
      const value = usage[name];
      if (value === undefined || !isCounter(name)) continue;
      bases[name] = { value, time };
      const base = before?.bases[name];
      // A cgroup that was made again begins anew.
      if (base) rates[name] = (Math.max(0, value - base.value) * 1000) / (time - (from ?? Math.max(base.time, before.until)));
    }
    const row = isSame && isEqual(before.usage, usage) && isEqual(before.rates, rates) ? before.row : rowOf(resource, { usage, rates, cgroups });
    const rests = before !== undefined && Object.keys(bases).every((name) => rates[name as Counter] === 0);
    this.known.set(resource.key, { resource, cgroups, usage, bases, rates, row, restsIn: rests ? fields : undefined, until: time });
    return row;
  }

  /** All there is to tell of some after a look that told less of them; what that told holds. */
  async detail(some: ReadonlySet<ObjectKey>): Promise<readonly TopRow[]> {
    const { fields = [], time: since } = this.last ?? {};
    const { time, usage } = await this.source.ask({ depth: "nothing", shown: some, since });
    this.rows = this.rows.map((row) => {
      const [told, known] = [usage[row.key], this.known.get(row.key)];
      if (!some.has(row.key) || !told || !known) return row;
      const { resource, cgroups, rates } = known;
      const all = { ...told, ...only(known.usage, fields) };
      const bases = { ...known.bases };
      for (const name of COUNTERS) {
        const value = all[name];
        if (value !== undefined) bases[name] ??= { value, time };
      }
      const full = rowOf(resource, { usage: all, rates, cgroups });
      this.known.set(row.key, { resource, cgroups, usage: all, bases, rates, row: full, restsIn: undefined, until: 0 });
      return full;
    });
    return this.rows;
  }

  async close(): Promise<void> {
    this.source.close();
    await this.manifests?.close();
  }
}
