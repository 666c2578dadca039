/** Knows holds: for a time, values that somebody writes by hand are left as they are on one object; then they are drift as any other. */
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { Action } from "./action.ts";

export interface Hold {
  /** ms since the epoch. */
  readonly since: number;
  readonly until: number;
  readonly reason: string;
}

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
