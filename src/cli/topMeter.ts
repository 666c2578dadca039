/** Knows what each object uses from look to look: of what is shown everything, of the others what they are sorted by. */
import type { ObjectKey } from "../api/resource.ts";
import type { Usage } from "../cgroup/usage.ts";
import type { Depth } from "../host/usage.ts";
import { pathsByOwner } from "../plan/desired.ts";
import { same } from "../serve/usageOfAll.ts";
import type { Opened } from "./context.ts";
import type { UsageSource } from "./served.ts";
import { rowOf, type Sort, type TopRow, withRatesOf } from "./topRows.ts";

export const NOTHING: ReadonlySet<ObjectKey> = new Set();

interface Known {
  /** As it was at `time`, ms. */
  readonly usage: Usage;
  time: number;
  readonly row: TopRow;
  /** It used nothing in the time before: as long as it reads the same, so is its row. */
  readonly idle: boolean;
}

/** What is used per second is known of a time that is not too short: looks are so far apart at least, ms. */
export const SHORTEST = 100;

/** Looks at all objects again and again. */
export class Meter {
  private readonly opened: Pick<Opened, "engine">;
  private readonly source: UsageSource;
  private readonly known = new Map<ObjectKey, Known>();
  private rows: readonly TopRow[] = [];
  /** The answer before: to which depth, and when. */
  private last: { readonly depth: Depth; readonly time: number } | undefined;

  constructor(opened: Pick<Opened, "engine">, source: UsageSource) {
    this.opened = opened;
    this.source = source;
  }

  /** All there is to tell of `shown`, and of the others what they are sorted by; undefined: all of all. */
  async look(sort: Sort | undefined, shown: ReadonlySet<ObjectKey>): Promise<readonly TopRow[]> {
    const { desired } = this.opened.engine;
    const owned = pathsByOwner(desired);
    const depth = sort === undefined ? "all" : sort === "name" ? "nothing" : sort;
    const since = this.last?.depth === depth ? this.last.time : undefined;
    const { time, usage: told, before: readBefore } = await this.source.ask({ depth, shown, since });
    this.last = { depth, time };
    const rows = [...desired.resources.values()].map((resource) => {
      const { key } = resource;
      const before = this.known.get(key);
      const now = told[key] && !(before && same(before.usage, told[key])) ? told[key] : undefined;
      if (!now && before?.idle) {
        before.time = time;
        return before.row;
      }
      // What reads as before is not told again.
      const usage = now ?? before?.usage ?? {};
      const seconds = before ? (time - (readBefore[key] ?? before.time)) / 1000 : 0;
      const row = rowOf(resource, { usage, before: before?.usage, seconds, cgroups: owned.get(key)?.length ?? 1 });
      this.known.set(key, { usage, time, row, idle: !now && before !== undefined });
      return row;
    });
    // The same lines are the same list: what was worked out of it holds.
    if (rows.length !== this.rows.length || rows.some((row, index) => row !== this.rows[index])) this.rows = rows;
    return this.rows;
  }

  /** All there is to tell of some right after a look that told less of them; per second they use what that found. */
  async detail(some: ReadonlySet<ObjectKey>): Promise<readonly TopRow[]> {
    const { desired } = this.opened.engine;
    const owned = pathsByOwner(desired);
    const { usage: told } = await this.source.ask({ depth: "nothing", shown: some, since: this.last?.time });
    this.rows = this.rows.map((row) => {
      const [usage, known, resource] = [told[row.key], this.known.get(row.key), desired.resources.get(row.key)];
      if (!some.has(row.key) || !usage || !known || !resource) return row;
      const full = withRatesOf(row, rowOf(resource, { usage, before: undefined, seconds: 0, cgroups: owned.get(row.key)?.length ?? 1 }));
      this.known.set(row.key, { ...known, usage: { ...usage, ...known.usage }, row: full });
      return full;
    });
    return this.rows;
  }

  close(): void {
    this.source.close();
  }
}
