/** Knows how to say an action in words: one line for people, the same in the plan, the log and the events. */

import { formatBytes } from "../api/quantity.ts";
import { isMembersPath } from "../cgroup/path.ts";
import { shownValue } from "../cgroup/show.ts";
import type { Action, ActionOf, PerAction } from "./action.ts";

/** The object of an action, as text. */
export function subject(action: Action): string {
  return action.owner ?? (action.path === "" ? "root cgroup" : `cgroup ${action.path}`);
}

const change = ({ knob, file, key, from, to }: ActionOf<"write">): string => {
  const where = file === knob ? "" : ` (${file})`;
  const device = key === "" || key === "default" ? "" : ` ${key}`;
  return `${knob}${device} ${shownValue(knob, file, from)} → ${shownValue(knob, file, to)}${where}`;
};

/** `, through systemd: nginx.service MemoryMax=104857600`. */
export function routeWords({ unit, assignments, entry: { path, policy }, over }: NonNullable<ActionOf<"write">["governing"]>): string {
  const where = ` in ${path.slice(1)}${over ? (policy === "Reset" ? ", the kernel's default" : ", as it was found") : ""}`;
  if (assignments) return `${where}, through systemd (${assignments.join(" ")})`;
  return unit === undefined ? where : `${where}, past systemd, which has no property for that`;
}

const WORDS: PerAction<string> = {
  create: ({ path, hierarchy, cause }) => `create the cgroup${isMembersPath(path) ? " of its members" : ""}${cause === "drift" ? " again" : ""} (${hierarchy})`,
  enable: ({ controllers }) => `hand down ${controllers.join(", ")}`,
  write: (action) => `${change(action)}${action.governing ? routeWords(action.governing) : action.declared ? "" : " (default)"}`,
  reclaim: ({ bytes }) => `have the kernel reclaim ${formatBytes(String(bytes))}`,
  ledger: ({ keep, note, entry }) => note ?? `${keep ? "remember" : "forget"} what ${entry.knob} of ${entry.path.slice(1)} was`,
  place: ({ pid, hierarchy }) => `move process ${pid} back (${hierarchy})`,
  join: ({ record: { pid }, comm, cause, seen }) =>
    `${cause === "drift" ? "move process" : "draw in process"} ${pid} (${comm}) ${cause === "drift" ? "back " : ""}from ${placesIn(seen)}`,
  leave: ({ record: { pid, from }, comm, hierarchies }) =>
    `move process ${pid} (${comm}) back to ${placesIn(Object.fromEntries(hierarchies.map((id) => [id, from[id] ?? "/"])))}`,
  enroll: ({ record: { pid } }) => `remember where process ${pid} belongs`,
  start: ({ replica, reason }) => `start ${replica.id} (${reason})`,
  signal: ({ replica, pid, signal, reason }) => `stop ${replica}: ${signal} to process ${pid} (${reason})`,
  signalAll: ({ replica, signal, reason, orphaned }) =>
    `stop ${replica}${orphaned ? ", whose holder is gone" : ""}: ${signal} to all its processes (${reason})`,
  adopt: ({ replica }) => `take ${replica} over as it runs`,
  spare: ({ replica }) => `let ${replica} run on: it is declared again as it was started`,
  kill: ({ replica, reason }) => `kill what is left of ${replica} (${reason})`,
  record: ({ replica, terminated }) => `${replica} ended: ${exitWords(terminated)}`,
  release: ({ replica }) => `release ${replica}`,
  void: ({ replica }) => `clear a start of ${replica} that never began`,
  hold: ({ replica, holder }) => `stop the holder ${holder} of ${replica} again`,
  remove: ({ hierarchy }) => `remove the cgroup (${hierarchy})`,
  hook: ({ replica, which }) => `run the ${which} hook of ${replica}`,
  unpack: ({ wanted: { image } }) => `verify and unpack the image ${image.digest.slice(0, 19)} of ${"layout" in image ? image.layout : image.archive}`,
  complain: ({ note }) => note,
  health: ({ replica, health }) => `${replica} is ${health.ready ? "ready" : "not ready"}`,
  conclude: ({ note }) => note,
  note: ({ replica }) => `remember ${replica}`,
  forget: ({ replica }) => `forget ${replica}`,
};

/** `/user.slice`, or `/a (cpu), /b (memory)` where a process is in different places. */
function placesIn(cgroups: Readonly<Record<string, string>>): string {
  const hierarchies = new Map<string, string[]>();
  for (const [hierarchy, path] of Object.entries(cgroups)) hierarchies.set(path, [...(hierarchies.get(path) ?? []), hierarchy]);
  if (hierarchies.size === 1) return [...hierarchies.keys()][0] ?? "";
  return [...hierarchies].map(([path, ids]) => `${path} (${ids.join(", ")})`).join(", ") || "an unknown cgroup";
}

/** `OOMKilled (SIGKILL)`, `Error (exit code 3)`, `Completed`. */
export function exitWords({ reason, exitCode, signal, message }: { reason: string; exitCode: number | null; signal: string | null; message?: string }): string {
  const detail = message ?? signal ?? (exitCode ? `exit code ${exitCode}` : undefined);
  return detail ? `${reason} (${detail})` : reason;
}

/** What the action does, without its object. */
export function describe(action: Action): string {
  return (WORDS as Record<Action["type"], (action: Action) => string>)[action.type](action);
}

/** `+` makes, `~` changes, `-` takes away. */
export function sign(action: Action): "+" | "~" | "-" {
  if (action.type === "create" || action.type === "start" || action.type === "unpack") return "+";
  return action.type === "remove" || action.type === "signal" || action.type === "signalAll" || action.type === "kill" || action.type === "forget" ? "-" : "~";
}
