/** Knows what people asked of the controller, and what to look at when that changes. */
import type { ObjectKey } from "../api/resource.ts";
import type { Event } from "../api/status.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { forgetHold, forgetRestart, holdRequests, restartRequests } from "../host/requests.ts";
import type { Desired } from "../plan/desired.ts";
import type { Holds } from "../plan/hold.ts";

type Told = Omit<Event, "eventTime">;

export class Asked {
  restartAfter: ReadonlyMap<string, number>;
  holds: Holds;
  private readonly runDirectory: string;
  private readonly tell: (event: Told) => void;
  /** Holds that were told, by object and beginning. */
  private readonly told = new Set<string>();

  constructor(runDirectory: string, tell: (event: Told) => void) {
    this.runDirectory = runDirectory;
    this.tell = tell;
    this.restartAfter = restartRequests(runDirectory);
    this.holds = holdRequests(runDirectory);
  }

  /** Looks again; the cgroups that it concerns. */
  refresh({ resources, replicas, cgroups, held }: Desired): CgroupPath[] {
    const [restarts, holds] = [this.restartAfter, this.holds];
    const names = new Set([...resources.values()].map(({ name }) => name));
    if (!held) for (const name of restarts.keys()) if (!names.has(name)) forgetRestart(this.runDirectory, name);
    this.restartAfter = restartRequests(this.runDirectory);
    this.holds = holdRequests(this.runDirectory);
    const changed = new Set([...holds.keys(), ...this.holds.keys()].filter((key) => holds.get(key)?.until !== this.holds.get(key)?.until));
    this.tellHolds(Date.now(), holds);
    return [
      ...[...replicas.values()].flatMap(({ path, resource: { name } }) => (this.restartAfter.get(name) === restarts.get(name) ? [] : [path])),
      ...[...cgroups.values()].flatMap(({ path, owner }) => (owner && changed.has(owner.key) ? [path] : [])),
    ];
  }

  /** One event when a hold begins, and one when it is over. */
  tellHolds(now: number, before: Holds = this.holds): void {
    const nameOf = (object: ObjectKey, since: number): string => `${object} ${since}`;
    for (const [object, { since, until, reason }] of this.holds) {
      if (until > now && !this.told.has(nameOf(object, since))) {
        this.told.add(nameOf(object, since));
        const note = `values that are written by hand are left as they are until ${new Date(until).toISOString()}: ${reason}`;
        this.tell({ type: "Normal", reason: "Held", object, note });
      } else if (until <= now) {
        forgetHold(this.runDirectory, object);
        this.over(object);
      }
    }
    for (const object of before.keys()) if (!this.holds.has(object)) this.over(object);
    this.holds = new Map([...this.holds].filter(([, { until }]) => until > now));
  }

  private over(object: ObjectKey): void {
    for (const name of this.told) {
      if (!name.startsWith(`${object} `)) continue;
      this.told.delete(name);
      this.tell({ type: "Normal", reason: "HoldEnded", object, note: "what was written by hand is drift again" });
    }
  }
}
