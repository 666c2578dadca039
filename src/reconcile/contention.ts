/**
 * Knows fights: somebody keeps writing another value over a declared one. After so many repairs in a row the value is left alone, for longer each time: two programs that write against each other all day help nobody.
 */
import type { ObjectKey } from "../api/resource.ts";
import type { Event } from "../api/status.ts";
import { type CgroupPath, isForeign } from "../cgroup/path.ts";
import { shownValue } from "../cgroup/show.ts";
import type { Action, ActionOf } from "../plan/action.ts";
import { type Contended, seatOf, settingOf } from "../plan/hold.ts";
import type { Outcome } from "./apply.ts";

/** So many repairs, over so long (ms), none later than so long after the one before: that is no mistake of a moment. */
const [REPAIRS, LASTING, GAP] = [10, 10_000, 10_000];
/** The first wait, how much longer each one is than the last, and the longest; ms. */
const [FIRST, FACTOR, LONGEST] = [2000, 3, 300_000];
/** A fight is over when its value has been left alone for so long beyond the wait, ms. */
const PEACE = 60_000;

type Repair = ActionOf<"write" | "join">;

/** What it is that is fought about, within its cgroup. */
const causeOfFight = (repair: Repair): string => (repair.type === "write" ? settingOf(repair) : seatOf(repair.record));

const isRepair = (action: Action): action is Repair => action.type === "write" || action.type === "join";

interface Bout {
  readonly owner: ObjectKey;
  readonly action: Repair;
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** 0: it is repaired at once. */
  readonly delay: number;
}

/** How long a bout goes on by itself after its last repair, ms. */
const lasts = ({ delay }: Bout): number => delay + (delay > 0 ? PEACE : GAP);

export interface Suspects {
  watch(action: ActionOf<"write">): void;
  /** `process 4211 (senpai), probably of the systemd unit x.service`. */
  nameOf(action: ActionOf<"write">): string | undefined;
  forget(action: ActionOf<"write">): void;
}

/** Bouts that are over are looked for at most so often, ms. */
const SWEEP = 1000;

/** From so many repairs on it is listened who writes. */
const SUSPICIOUS = 3;

export class Contention {
  private readonly bouts = new Map<CgroupPath, Map<string, Bout>>();
  /** Whether anything was done, so that it would be known here. */
  private active = false;
  private fighting: readonly (readonly [CgroupPath, string, Bout])[] | undefined;
  /** When bouts that are over were forgotten last, ms since the epoch. */
  private swept = 0;
  private readonly tell: (event: Omit<Event, "eventTime">) => void;

  /** Tells who writes a value, as far as that can be known. */
  private readonly suspects: Suspects;

  constructor(tell: (event: Omit<Event, "eventTime">) => void, suspects: Suspects) {
    this.tell = tell;
    this.suspects = suspects;
  }

  /** Takes what was repaired, and what was written for another reason: a new value begins in peace. */
  note(outcomes: readonly Outcome[], now = Date.now()): void {
    this.active = true;
    for (const { action, error, skipped } of outcomes) {
      if (!isRepair(action) || error || skipped || !action.owner) continue;
      if (action.cause === "pending") this.forget(this.bouts.get(action.path), causeOfFight(action));
      else this.repaired(action.owner, action, now);
    }
    if (now - this.swept < SWEEP && this.fought.length === 0) return;
    this.swept = now;
    for (const [path, bouts] of this.bouts) {
      for (const [setting, bout] of bouts) {
        if (now - bout.last <= lasts(bout)) continue;
        this.forget(bouts, setting);
        if (bout.action.type === "write") this.suspects.forget(bout.action);
      }
      if (bouts.size === 0) this.bouts.delete(path);
    }
  }

  private forget(bouts: Map<string, Bout> | undefined, setting: string): void {
    if ((bouts?.get(setting)?.delay ?? 0) > 0) this.fighting = undefined;
    bouts?.delete(setting);
  }

  /** Those that are not repaired at once; worked out when that changes. */
  private get fought(): readonly (readonly [CgroupPath, string, Bout])[] {
    this.fighting ??= [...this.bouts].flatMap(([path, bouts]) =>
      [...bouts].flatMap(([setting, bout]) => (bout.delay > 0 ? [[path, setting, bout] as const] : [])),
    );
    return this.fighting;
  }

  private repaired(owner: ObjectKey, action: Repair, now: number): void {
    const bouts = this.bouts.get(action.path) ?? new Map<string, Bout>();
    this.bouts.set(action.path, bouts);
    const before = bouts.get(causeOfFight(action));
    const { first, count } = before && now - before.last <= lasts(before) ? before : { first: now, count: 0 };
    const fought = count + 1 >= REPAIRS && now - first >= LASTING;
    const delay = fought ? Math.min(LONGEST, before?.delay ? before.delay * FACTOR : FIRST) : 0;
    const bout = { owner, action, first, last: now, count: count + 1, delay };
    bouts.set(causeOfFight(action), bout);
    if (delay > 0 || (before?.delay ?? 0) > 0) this.fighting = undefined;
    if (bout.count >= SUSPICIOUS && action.type === "write") this.suspects.watch(action);
    if (fought) this.tell({ type: "Warning", reason: "Contended", object: owner, note: this.noteOf(bout) });
  }

  /** Until when which settings are left alone, by cgroup; and when it is to be looked whether there is peace again. */
  get waits(): Contended {
    const waits = new Map<CgroupPath, Map<string, number>>();
    for (const [path, setting, bout] of this.fought) {
      const known = waits.get(path) ?? new Map<string, number>();
      waits.set(path, known.set(setting, bout.last + bout.delay).set(`${setting} peace`, bout.last + lasts(bout) + 1));
    }
    return waits;
  }

  /** What is fought about, by object; undefined for whoever only looks. */
  get known(): ReadonlyMap<ObjectKey, string> | undefined {
    return this.active ? this.notes() : undefined;
  }

  notes(now = Date.now()): ReadonlyMap<ObjectKey, string> {
    return new Map(this.fought.flatMap(([, , bout]) => (now - bout.last <= lasts(bout) ? [[bout.owner, this.noteOf(bout)]] : [])));
  }

  private noteOf({ action, count, first, last, delay }: Bout): string {
    const often = `${count} times in ${Math.round((last - first) / 1000)}s): the next repair is in ${delay / 1000}s`;
    if (action.type === "join") {
      const places = [...new Set(Object.values(action.seen))].join(", ");
      return `something keeps moving process ${action.record.pid} (${action.comm}) to ${places} (moved back ${often}; find out who moves it, change the manifest, or write drift: Report`;
    }
    const { path, knob, file, from, to } = action;
    const value = (text: string): string => shownValue(knob, file, text);
    const who = this.suspects.nameOf(action);
    const where = isForeign(path) ? path.slice(1) : path;
    return `${who ?? "something"} keeps writing ${value(from)} to ${knob} of ${where} (repaired to ${value(to)} ${often}; ${who === undefined ? "find out who writes" : "have that end"}, change the manifest, or write drift: Report`;
  }

  /** What is fought about is told as that, not as drift once more. */
  without<T extends { readonly reported: readonly Action[] }>(plan: T): T {
    if (this.bouts.size === 0) return plan;
    const isFought = (action: Action): boolean => isRepair(action) && (this.bouts.get(action.path)?.get(causeOfFight(action))?.delay ?? 0) > 0;
    return { ...plan, reported: plan.reported.filter((action) => !isFought(action)) };
  }
}
