/** Knows the drift of each object, field by field: what it was, when it was first seen and last, how often, and how soon. */
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { DriftStatus, FieldDrift } from "../api/status.ts";
import { shownValue } from "../cgroup/show.ts";
import type { Action } from "../plan/action.ts";
import { exitWords } from "../plan/describe.ts";
import { sourceOf } from "../plan/source.ts";

/** So many fields of an object are remembered, those that were seen last. */
const MOST_FIELDS = 50;

/** By what a difference was noticed: an event that told of its cgroup, or a look of the controller's own. Times in ms since the epoch. */
export class Notice {
  /** When an event first told of each cgroup that is looked at now. */
  events: ReadonlyMap<string, number> | undefined;
  private looked: number | undefined;
  /** When the look before the last one was; undefined: there was none. */
  private lookBefore: number | undefined;
  /** The same of cgroups that are looked at more often. */
  private readonly looksBefore = new Map<string, number>();

  look(now: number): void {
    this.lookBefore = this.looked;
    this.looked = now;
  }

  /** Something was found there that was not so yet at the look `before`. */
  found(path: string, before: number): void {
    this.looksBefore.set(path, before);
  }

  /** Since when, at the earliest, something there may be as it is. */
  since(path: string): number | undefined {
    const times = [this.lookBefore, this.looksBefore.get(path)].flatMap((time) => time ?? []);
    return times.length === 0 ? undefined : Math.max(...times);
  }
}

type Found = Pick<FieldDrift, "kind" | "field" | "cgroup" | "desired" | "observed">;

/** What of an action is drift that it repairs, or tells; undefined: it is none. */
function driftIn(action: Action): Found | undefined {
  const { path: cgroup } = action;
  switch (action.type) {
    case "write": {
      if (action.cause !== "drift") return undefined;
      const { knob, file, key } = action;
      const field = key === "" || key === "default" ? knob : `${knob} ${key}`;
      return { kind: "Value", field, cgroup, desired: shownValue(knob, file, action.to), observed: shownValue(knob, file, action.from) };
    }
    case "create":
      return action.cause === "drift"
        ? { kind: "Structure", field: `cgroup (${action.hierarchy})`, cgroup, desired: "present", observed: "missing" }
        : undefined;
    case "enable": {
      const desired = action.controllers.join(" ");
      return action.cause === "drift" ? { kind: "Structure", field: "controllers handed down", cgroup, desired, observed: "not handed down" } : undefined;
    }
    case "join": {
      if (action.cause !== "drift") return undefined;
      const observed = [...new Set(Object.values(action.seen))].join(", ");
      return { kind: "Membership", field: `process ${action.record.pid} (${action.comm})`, cgroup, desired: action.path, observed };
    }
    case "place":
      return {
        kind: "Membership",
        field: `process ${action.pid} of ${action.replica}`,
        cgroup,
        desired: action.path,
        observed: `elsewhere (${action.hierarchy})`,
      };
    case "record":
      if (action.asked || action.terminated.reason === "Completed") return undefined;
      return { kind: "Process", field: `process of ${action.replica}`, cgroup, desired: "running", observed: exitWords(action.terminated) };
    default:
      return undefined;
  }
}

const keyOf = ({ cgroup, field }: Pick<FieldDrift, "cgroup" | "field">): string => `${cgroup} ${field}`;

export class DriftBook {
  readonly objects = new Map<ObjectKey, DriftStatus>();
  /** Of each object, when it was last written to. */
  private readonly applied = new Map<ObjectKey, string>();

  constructor(before: Iterable<readonly [ObjectKey, DriftStatus]>) {
    for (const [key, status] of before) this.objects.set(key, status);
  }

  /** Something was written. */
  wrote(owner: ObjectKey, time: string): void {
    this.applied.set(owner, time);
  }

  /** One difference more; nothing where the action repairs none. `message`: as it was told. */
  note(action: Action, resource: Resource | undefined, message: string, now: number, notice: Notice): void {
    const found = driftIn(action);
    if (!found || !action.owner) return;
    const before = this.objects.get(action.owner);
    const time = new Date(now).toISOString();
    const fields = before?.fields ?? [];
    const known = fields.find((field) => keyOf(field) === keyOf(found));
    const told = notice.events?.get(action.path);
    const since = told ?? notice.since(action.path);
    // What was seen by an earlier controller was repaired then, unless it was left as it was.
    const lastApplied = this.applied.get(action.owner) ?? (known?.open ? known.lastApplied : known?.lastSeen);
    const field: FieldDrift = {
      ...found,
      ...(resource ? { source: sourceOf(action, resource) } : {}),
      ...(lastApplied === undefined ? {} : { lastApplied }),
      firstSeen: known?.firstSeen ?? time,
      lastSeen: time,
      count: (known?.count ?? 0) + 1,
      ...(since === undefined ? {} : { detection: { by: told === undefined ? "Look" : "Event", seconds: Math.max(0, now - since) / 1000 } }),
    };
    const others = fields.filter((one) => one !== known).slice(-(MOST_FIELDS - 1));
    this.objects.set(action.owner, { count: (before?.count ?? 0) + 1, lastSeen: time, lastMessage: message, fields: [...others, field] });
  }
}

/** What is known of the drift that an action would repair. */
export function recordOf(objects: ReadonlyMap<ObjectKey, DriftStatus>, action: Action): FieldDrift | undefined {
  const found = driftIn(action);
  return found && action.owner && objects.get(action.owner)?.fields?.find((field) => keyOf(field) === keyOf(found));
}

/** What drifted and is not repaired. */
export const openFields = (reported: readonly Action[]): ReadonlySet<string> =>
  new Set(
    reported.flatMap((action) => {
      const found = driftIn(action);
      return found ? [keyOf(found)] : [];
    }),
  );

/** With what is open still. */
export const withOpen = (status: DriftStatus, open: ReadonlySet<string>): DriftStatus => ({
  ...status,
  fields: (status.fields ?? []).map(({ open: _, ...field }) => (open.has(keyOf(field)) ? { ...field, open: true } : field)),
});
