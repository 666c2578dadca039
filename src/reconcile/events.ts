/** Knows which events a plan's outcomes are worth: one per change or failure, none for what stays as it is. */
import { LIMITS } from "../api/limits.ts";
import { type Problem, problemLine } from "../api/problem.ts";
import type { Resource } from "../api/resource.ts";
import type { Event } from "../api/status.ts";
import { shownValue } from "../cgroup/show.ts";
import { lineOf } from "../manifest/locate.ts";
import type { Action, ActionOf } from "../plan/action.ts";
import { describe, exitWords } from "../plan/describe.ts";
import { pointerOf } from "../plan/writes.ts";
import type { Outcome } from "./apply.ts";

type ResourceOf = (action: Action) => Resource | undefined;

/** The event of an outcome; undefined for bookkeeping that nobody wants to read about. */
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
      sourceOf(action, resource),
    );
  switch (action.type) {
    case "create":
      return event(
        action.cause === "drift" ? "Warning" : "Normal",
        action.cause === "drift" ? "Recreated" : "Created",
        `${action.cause === "drift" ? "the cgroup was gone; made it again" : "made the cgroup"} (${action.hierarchy})`,
        action.cause === "drift" ? sourceOf(action, resource) : {},
      );
    case "write": {
      const { knob, file } = action;
      const [observed, desired] = [shownValue(knob, file, action.from), shownValue(knob, file, action.to)];
      const more = { field: knob, desired, observed };
      if (action.cause === "pending") return event("Normal", "Configured", describe(action), { ...more, desired: declaredValue(action, resource) ?? desired });
      const note = `${knob} was ${observed}, is ${desired} again${file === knob ? "" : ` (${file})`}`;
      return event("Warning", "DriftRepaired", note, { ...more, ...sourceOf(action, resource) });
    }
    case "place":
      return event("Warning", "DriftRepaired", `process ${action.pid} had left its cgroup; moved it back (${action.hierarchy})`);
    case "start":
      return event("Normal", "Started", `${action.replica.id}${action.reason === "first start" ? "" : ` (${action.reason})`}`);
    case "signal":
      return event("Normal", "Killing", describe(action));
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
    case "remove":
      return event("Normal", "Pruned", `removed the cgroup ${action.path || "root"} (${action.hierarchy})`);
    case "hold":
      return event("Warning", "HolderContinued", `somebody continued the holder of ${action.replica}; stopped it again`);
    default:
      return undefined;
  }
}

/** The value as the manifest has it: `20%`, where the kernel's file says 20000. */
function declaredValue({ knob, key }: ActionOf<"write">, resource: Resource | undefined): string | undefined {
  const value = knob === "frozen" ? undefined : resource?.limits[knob];
  if (value === undefined || knob === "frozen") return undefined;
  if (typeof value === "string") return LIMITS[knob].format(value);
  const only = Object.values(value);
  return only.length === 1 && only[0] !== undefined ? LIMITS[knob].format(only[0]) : key;
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
    ...sourceOf(action, resource),
  };
}

export function problemEvent(problem: Problem, eventTime: string): Event {
  return { eventTime, type: "Warning", reason: problem.reason, object: (problem.object as Event["object"] | undefined) ?? "Host", note: problemLine(problem) };
}

function sourceOf(action: Action, resource: Resource | undefined): Partial<Event> {
  if (!resource) return {};
  return { source: lineOf(resource.origin, action.type === "write" ? pointerOf(action.knob) : "/metadata/name") };
}
