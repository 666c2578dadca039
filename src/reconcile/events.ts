/** Knows which events a plan's outcomes are worth: one per change or failure, none for what stays as it is. */
import { LIMITS } from "../api/limits.ts";
import type { Problem } from "../api/problem.ts";
import type { Resource } from "../api/resource.ts";
import type { Event } from "../api/status.ts";
import { shownValue } from "../cgroup/show.ts";
import type { Action, ActionOf } from "../plan/action.ts";
import { describe, exitWords, routeWords } from "../plan/describe.ts";
import { sourceOf } from "../plan/source.ts";
import { isMissingFile } from "./again.ts";
import type { Outcome } from "./apply.ts";

export type ResourceOf = (action: Action) => Resource | undefined;

/** What became of one object, or of one cgroup that went: many actions, one event. */
interface Sum {
  readonly reason: "Created" | "Configured" | "Joined" | "Left" | "Pruned";
  readonly object: Event["object"];
  readonly parts: Set<string>;
  readonly outcome: Outcome;
}

type Sums = Readonly<Record<Sum["reason"], Map<string, Sum>>>;

/** Adds an outcome to what is told of an object as a whole; false when it is told by itself. */
function sumUp(outcome: Outcome, sums: Sums, resourceOf: ResourceOf): boolean {
  const { action, error, skipped } = outcome;
  if (isMissingFile(outcome)) return true; // told as a limit that this kernel lacks, if that is what it is
  if (error || skipped) return false;
  const object = action.owner ?? "Host";
  if (action.type === "create" && action.cause === "pending") addTo(sums, "Created", object, object, action.hierarchy, outcome);
  else if (action.type === "write" && action.cause === "pending") addTo(sums, "Configured", object, object, configured(action, resourceOf(action)), outcome);
  else if (action.type === "join" && action.cause === "pending") addTo(sums, "Joined", object, object, processName(action), outcome);
  else if (action.type === "leave") addTo(sums, "Left", object, object, processName(action), outcome);
  else if (action.type === "remove") addTo(sums, "Pruned", action.path, object, action.hierarchy, outcome);
  else return false;
  return true;
}

const processName = ({ record: { pid }, comm }: ActionOf<"join" | "leave">): string => `${pid} (${comm})`;

/** So many names are spelled out. */
const MOST_NAMES = 10;

/** `1 (a), 2 (b) and 5 more`. */
const listed = (names: readonly string[]): string =>
  names.slice(0, MOST_NAMES).join(", ") + (names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : "");

function noteOf({ reason, parts, outcome }: Sum): string {
  const all = [...parts];
  switch (reason) {
    case "Created":
      return `made the cgroup in ${all.join(", ")}`;
    case "Pruned":
      return `removed the cgroup ${outcome.action.path || "root"} from ${all.join(", ")}`;
    case "Joined":
      return `drew in ${all.length === 1 ? "process" : "processes"} ${listed(all)}`;
    case "Left":
      return `moved back to where ${all.length === 1 ? "it" : "they"} came from: ${listed(all)}`;
    default:
      return all.join(", ");
  }
}

function addTo(sums: Sums, reason: Sum["reason"], key: string, object: Sum["object"], part: string, outcome: Outcome): void {
  const known = sums[reason].get(key);
  if (known) known.parts.add(part);
  else sums[reason].set(key, { reason, object, parts: new Set([part]), outcome });
}

/** A file that was written more than once, to get past a rule of the kernel's, changed once: from the first value to the last. */
function withoutDetours(outcomes: readonly Outcome[]): readonly Outcome[] {
  const last = new Map<string, Outcome>();
  const keyOf = ({ action, error, skipped }: Outcome): string | undefined =>
    action.type === "write" && !error && !skipped ? `${action.hierarchy} ${action.path} ${action.file} ${action.key}` : undefined;
  for (const outcome of outcomes) {
    const key = keyOf(outcome);
    const before = key === undefined ? undefined : last.get(key);
    if (key === undefined || outcome.action.type !== "write") continue;
    const from = before?.action.type === "write" ? before.action.from : outcome.action.from;
    last.set(key, before ? { ...outcome, action: { ...outcome.action, from } } : outcome);
  }
  return outcomes.flatMap((outcome) => {
    const key = keyOf(outcome);
    const net = key === undefined ? outcome : last.get(key);
    if (key !== undefined) last.delete(key);
    return net && !(net.action.type === "write" && net.action.from === net.action.to) ? [net] : [];
  });
}

/**
 * The events of outcomes, in their order. The making, the configuring and the removing of one object is one event each;
 * everything that went wrong, and every repair, is an event of its own.
 */
export function eventsOf(outcomes: readonly Outcome[], resourceOf: ResourceOf, eventTime: string): { readonly event: Event; readonly outcome: Outcome }[] {
  const told: { event: Event; outcome: Outcome }[] = [];
  const sums: Sums = { Created: new Map(), Configured: new Map(), Joined: new Map(), Left: new Map(), Pruned: new Map() };
  for (const outcome of withoutDetours(outcomes)) {
    if (sumUp(outcome, sums, resourceOf)) continue;
    const event = eventOf(outcome, resourceOf, eventTime);
    if (event) told.push({ event, outcome });
    const warning = privilegedStart(outcome, eventTime);
    if (warning) told.push({ event: warning, outcome });
  }
  const summed = Object.values(sums)
    .flatMap((each) => [...each.values()])
    .map((sum) => ({ event: { eventTime, type: "Normal" as const, reason: sum.reason, object: sum.object, note: noteOf(sum) }, outcome: sum.outcome }));
  // What is made and limited comes before what runs in it, what is removed after what ran in it.
  return [...summed.filter(({ event }) => event.reason !== "Pruned"), ...told, ...summed.filter(({ event }) => event.reason === "Pruned")];
}

/** A workload that can do what root can is said to, each time. */
function privilegedStart({ action, error, skipped }: Outcome, eventTime: string): Event | undefined {
  const { confinement } = (action.type === "start" && action.replica.container) || {};
  if (action.type !== "start" || error || skipped || !confinement) return undefined;
  const { id, resource } = action.replica;
  const mounts = confinement.namespaces.includes("mount") && !confinement.userNamespace && confinement.capabilities.includes("SYS_ADMIN");
  if (!confinement.privileged && !mounts) return undefined;
  const note = confinement.privileged
    ? "is privileged: it can do all that root can do on this host"
    : "has SYS_ADMIN: it can make writable what it is shown of the host";
  return { eventTime, type: "Warning", reason: "Privileged", object: resource.key, note: `${id} ${note}` };
}

/** `cpu.max 20%`: a limit as the manifest has it, or the default that it went back to. */
function configured(action: ActionOf<"write">, resource: Resource | undefined): string {
  const value = declaredValue(action, resource) ?? `${/^\d/.test(action.key) ? `${action.key} ` : ""}${shownValue(action.knob, action.file, action.to)}`;
  return `${action.knob} ${value}${action.governing ? routeWords(action.governing) : action.declared ? "" : " (default)"}`;
}

/** The event of one outcome; undefined for bookkeeping that nobody wants to read about. */
export function eventOf({ action, error, skipped }: Outcome, resourceOf: ResourceOf, eventTime: string): Event | undefined {
  if (skipped) return undefined;
  const object = action.owner ?? "Host";
  const resource = resourceOf(action);
  const event = (type: Event["type"], reason: string, note: string, more: Partial<Event> = {}): Event => ({ eventTime, type, reason, object, note, ...more });
  if (error)
    return event(
      "Warning",
      action.type === "start" ? "StartFailed" : "Refused",
      `${describe(action)}: ${error.message}${error.hint ? ` (${error.hint})` : ""}`,
      placeOf(action, resource),
    );
  switch (action.type) {
    case "create":
      return event("Warning", "Recreated", `the cgroup was gone; made it again (${action.hierarchy})`, placeOf(action, resource));
    case "write": {
      const { knob, file } = action;
      const [observed, desired] = [shownValue(knob, file, action.from), shownValue(knob, file, action.to)];
      const note = `${knob} was ${observed}, is ${desired} again${file === knob ? "" : ` (${file})`}${action.governing ? routeWords(action.governing) : ""}`;
      return event("Warning", "DriftRepaired", note, { field: knob, desired, observed, ...placeOf(action, resource) });
    }
    case "place":
      return event("Warning", "DriftRepaired", `process ${action.pid} had left its cgroup; moved it back (${action.hierarchy})`);
    case "ledger":
      return action.note === undefined ? undefined : event("Normal", "LeftAlone", action.note);
    case "join":
      return event(
        "Warning",
        "DriftRepaired",
        `process ${processName(action)} had left; moved it back (${action.hierarchies.join(", ")})`,
        placeOf(action, resource),
      );
    case "start":
      return event("Normal", "Started", `${action.replica.id}${action.reason === "first start" ? "" : ` (${action.reason})`}`);
    case "signal":
    case "signalAll":
      return event("Normal", "Killing", describe(action));
    case "spare":
      return event("Normal", "Spared", describe(action));
    case "kill":
      return event(
        action.reason === "grace period over" ? "Warning" : "Normal",
        action.reason === "grace period over" ? "ExceededGracePeriod" : "Killing",
        describe(action),
      );
    case "record":
      if (action.asked) return event("Normal", "Stopped", `${action.replica} ended: ${exitWords(action.terminated)}`);
      return event(
        action.terminated.reason === "Completed" ? "Normal" : "Warning",
        action.terminated.reason,
        `${action.replica} ended: ${exitWords(action.terminated)}`,
      );
    case "health": {
      const { before, health, replica } = action;
      if (health.complaint !== undefined && health.complaint !== before?.complaint) return event("Warning", "Unhealthy", `${replica}: ${health.complaint}`);
      return health.ready && !before?.ready ? event("Normal", "Ready", `${replica} is ready`) : undefined;
    }
    case "unpack":
      return event("Normal", "Unpacking", describe(action));
    case "complain":
      return event("Warning", "FailedPreStopHook", action.note);
    case "conclude":
      return event(action.outcome === "JobComplete" ? "Normal" : "Warning", action.outcome, action.note);
    case "hold":
      return event("Warning", "HolderContinued", `somebody continued the holder of ${action.replica}; stopped it again`);
    default:
      return undefined;
  }
}

/** The value as the manifest has it: `20%`, where the kernel's file says 20000. */
function declaredValue({ knob, standIn, governing }: ActionOf<"write">, resource: Resource | undefined): string | undefined {
  const value = knob === "frozen" || standIn || governing?.over ? undefined : resource?.limits[knob];
  if (value === undefined || knob === "frozen") return undefined;
  if (typeof value === "string") return LIMITS[knob].format(value);
  const only = Object.values(value);
  return only.length === 1 && only[0] !== undefined ? LIMITS[knob].format(only[0]) : undefined;
}

/** The event of drift that is only reported. */
export function reportedEvent(action: Action, resource: Resource | undefined, eventTime: string): Event {
  const values =
    action.type === "write"
      ? { field: action.knob, desired: shownValue(action.knob, action.file, action.to), observed: shownValue(action.knob, action.file, action.from) }
      : {};
  return {
    eventTime,
    type: "Warning",
    reason: "DriftReported",
    object: action.owner ?? "Host",
    note: `not repaired (drift: Report): ${describe(action)}`,
    ...values,
    ...placeOf(action, resource),
  };
}

export function problemEvent(problem: Problem, eventTime: string): Event {
  const { object, reason, message, hint, pointer, file, line, column } = problem;
  const field = pointer ? `${pointer}: ` : "";
  const source = line > 0 ? `${file}:${line}:${column}` : file;
  return {
    eventTime,
    type: "Warning",
    reason,
    object: (object as Event["object"] | undefined) ?? "Host",
    note: `${field}${message}${hint ? ` (${hint})` : ""}`,
    source,
  };
}

/** What makes a problem the same one that was told before. */
export const problemKey = ({ source, note }: Event): string => `${source} ${note}`;

function placeOf(action: Action, resource: Resource | undefined): Partial<Event> {
  return resource ? { source: sourceOf(action, resource) } : {};
}
