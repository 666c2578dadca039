/** Knows what of drift is left alone for now: all of an object that somebody holds, and single values that somebody else keeps writing. */
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Action, ActionOf } from "./action.ts";
import type { MemberRecord } from "./hostProcess.ts";

export interface Hold {
  /** ms since the epoch. */
  readonly since: number;
  readonly until: number;
  readonly reason: string;
}

/** A value among those of a cgroup. */
export const settingOf = ({ hierarchy, file, key }: Pick<ActionOf<"write">, "hierarchy" | "file" | "key">): string => `${hierarchy} ${file} ${key}`;

/** A process among the members of a group. */
export const seatOf = ({ pid, start }: Pick<MemberRecord, "pid" | "start">): string => `process ${pid} ${start}`;

/** Until when (ms since the epoch) which values, and members, are not repaired, because somebody keeps changing them back. */
export type Contended = ReadonlyMap<CgroupPath, ReadonlyMap<string, number>>;

export type Holds = ReadonlyMap<ObjectKey, Hold>;

/** The hold that is on an object now. */
export function holdOn(holds: Holds | undefined, object: ObjectKey | undefined, now: number): Hold | undefined {
  const hold = object && holds?.get(object);
  return hold && hold.until > now ? hold : undefined;
}

/** Whether drift of an object is left alone: it is only reported, or held. */
export const isLeftAlone = (owner: Resource | undefined, { holds, now }: { readonly holds?: Holds; readonly now: number }): boolean =>
  owner?.drift === "Report" || holdOn(holds, owner?.key, now) !== undefined;

/** What is held is told by its hold alone. */
export const withoutHeld = <T extends { readonly reported: readonly Action[] }>(plan: T, holds: Holds): T =>
  holds.size === 0 ? plan : { ...plan, reported: plan.reported.filter(({ owner }) => !owner || !holds.has(owner)) };
