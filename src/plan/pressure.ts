/** Knows when memory is too scarce for a limit of it to get smaller: then that waits, for it would be paid for with processes. */
import type { Problem } from "../api/problem.ts";
import { FORCE_ANNOTATION, isForced } from "../api/resource.ts";
import { type CgroupPath, nameOf } from "../cgroup/path.ts";
import type { Difference } from "./compare.ts";
import type { Inputs } from "./decision.ts";
import type { DesiredCgroup } from "./desired.ts";
import type { Observed } from "./observed.ts";
import { problemOf } from "./problemOf.ts";
import { pointerOf } from "./source.ts";

/** Percent of the last ten seconds in which everything waited for memory (PSI, "full avg10"; Documentation/accounting/psi.rst): from here on it is bad. */
const BAD = 20;
/** After a kill for memory it is bad for so long, ms. */
const QUIET = 10_000;
/** When to look again, ms. */
export const PRESSURE_LOOK = 5000;

const MEMORY: ReadonlySet<string> = new Set(["memory.max", "memory.high", "memory.swap.max"]);

/** How many processes of a cgroup had been killed for memory at a look some time ago, and when (ms since the epoch; 0: never) looks saw that rise. */
export interface KillsSeen {
  readonly count: number;
  readonly rose: number;
}

/** Whether a change gives a group less memory. */
const takesMemory = ({ file, knob, from, to }: Difference): boolean => MEMORY.has(knob) && from !== to && !file.widens(from, to);

/** Why a change must wait; undefined: it need not. */
export function heldByPressure({ owner, path }: DesiredCgroup, change: Difference, inputs: Inputs): Problem | undefined {
  // What a smaller memory.high has brought about itself is no reason to stop halfway.
  if (!owner || !takesMemory(change) || isForced(owner) || inputs.shrinks?.has(path)) return undefined;
  const scarcity = scarcityOf(path, inputs);
  if (scarcity === undefined) return undefined;
  const message = `memory is scarce (${scarcity}): a smaller ${change.knob} waits until that is over`;
  return problemOf(owner, "PressureHeld", pointerOf(change.knob), message, { cgroup: path, hint: `annotate ${FORCE_ANNOTATION}: "true" to have it at once` });
}

/** In words: what the kernel tells of scarce memory, by PSI and by memory.events (v1: memory.oom_control). */
function scarcityOf(path: CgroupPath, { observed, kills, now }: Inputs): string | undefined {
  const pressure = observed.memoryPressure(path);
  if (pressure !== undefined && pressure >= BAD) return `all of the group's processes wait for it ${BAD} % of the time and more`;
  const seen = kills?.get(path);
  if (seen && (seen.rose + QUIET > now || observed.oomKills(path) > seen.count)) return "processes of the group were killed for it just now";
  return undefined;
}

/** How many processes of a cgroup were killed for memory, and how often its own limit was hit, until now. */
export interface Harm {
  readonly kills: number;
  readonly hits: number;
}

/** A smaller memory.max that is being watched: until when (ms since the epoch), and what had been before. */
export interface Bake extends Harm {
  readonly until: number;
}

export type Bakes = ReadonlyMap<CgroupPath, Bake>;

/** Between two looks at a cgroup that is being watched, ms. */
export const BAKE_LOOK = 2000;

export const harmIn = ({ oomKills, limitHits }: Observed, path: CgroupPath): Harm => ({ kills: oomKills(path), hits: limitHits(path) });

/** Processes were killed, and not by some other limit. */
export function hasHarmed({ kills, hits }: Bake, observed: Observed, path: CgroupPath): boolean {
  const now = harmIn(observed, path);
  return now.kills > kills && now.hits > hits;
}

/** Whether a smaller memory.max is worth a watch: what runs is what ran before. A new revision that does not fit says nothing of the old limit. */
export function isWatched(path: CgroupPath, change: Difference, { observed, desired }: Inputs): boolean {
  if (change.knob !== "memory.max" || !takesMemory(change)) return false;
  const replica = desired.replicas.get(nameOf(path));
  return replica === undefined || observed.record(replica.id)?.current?.revision === replica.revision;
}
