/** Knows `holdfast get` and `describe`: look at objects, kubectl-fashion. */

import { formatDuration } from "../api/quantity.ts";
import type { Kind, Resource } from "../api/resource.ts";
import type { ContainerState, Event, FieldDrift, MemberStatus, MembersStatus, ObjectView } from "../api/status.ts";
import { logFile } from "../host/logs.ts";
import { UsageReader } from "../host/usage.ts";
import { nameLineOf } from "../manifest/locate.ts";
import { suggest } from "../manifest/suggest.ts";
import { exitWords } from "../plan/describe.ts";
import { pathsByOwner } from "../plan/desired.ts";
import { ageOf, limitsText, readyOf } from "../serve/cells.ts";
import { OWN, WORKLOADS } from "../serve/kinds.ts";
import { objectKeyOf, type Served } from "../serve/object.ts";
import { tableOf } from "../serve/table.ts";
import { type GlobalOptions, type Opened, openEngine, UsageError } from "./context.ts";
import { colour, note, out, problemText, structured, table } from "./print.ts";
import { stateOf } from "./served.ts";

const KIND_NAMES: Readonly<Record<string, Kind>> = {
  limitgroup: "LimitGroup",
  limitgroups: "LimitGroup",
  lg: "LimitGroup",
  workload: "Workload",
  workloads: "Workload",
  wl: "Workload",
};

/** `workload web`, `workload/web`, `wl`: what a person means. */
export function parseTarget(kind: string | undefined, name: string | undefined): { kind: Kind | undefined; name: string | undefined } {
  if (kind === undefined || kind === "all") return { kind: undefined, name };
  const [written = "", inlineName] = kind.split("/");
  const known = KIND_NAMES[written.toLowerCase()];
  if (!known)
    throw new UsageError(
      `unknown kind ${written}: expected limitgroups (lg) or workloads (wl)${((hint) => (hint ? `; ${hint}` : ""))(suggest(written, Object.keys(KIND_NAMES)))}`,
    );
  return { kind: known, name: inlineName ?? name };
}

function select(views: readonly Served[], { kind, name }: ReturnType<typeof parseTarget>): Served[] {
  const found = views.filter((view) => (kind === undefined || view.kind === kind) && (name === undefined || view.metadata.name === name));
  if (name !== undefined && found.length === 0) {
    const hint = suggest(
      name,
      views.map(({ metadata }) => metadata.name),
    );
    throw new UsageError(`${kind ?? "object"} ${name} not found${hint ? ` (${hint})` : ""}`);
  }
  return found;
}

export async function get(
  kind: string | undefined,
  name: string | undefined,
  options: GlobalOptions & { output: "table" | "wide" | "json" | "yaml" | "name" },
  version: string,
): Promise<number> {
  const target = parseTarget(kind, name);
  const opened = openEngine(options);
  const { set, directory } = opened;
  const objects = select((await stateOf(opened, options, version)).objects, target);
  if (options.output === "json" || options.output === "yaml")
    out(await structured(target.name !== undefined ? objects[0] : { apiVersion: "v1", kind: "List", items: objects }, options.output));
  else if (options.output === "name") for (const { kind: of, metadata } of objects) out(`${of.toLowerCase()}/${metadata.name}`);
  else await tables(objects, opened, options.output === "wide");
  if (objects.length === 0) note(`no ${target.kind ?? "object"}s in ${directory}`);
  for (const problem of set.manifests.problems) note(problemText(problem));
  return set.manifests.problems.length > 0 ? 1 : 0;
}

/** The same columns as kubectl's. */
async function tables(objects: readonly Served[], { engine, host }: Opened, wide: boolean): Promise<void> {
  const reader = new UsageReader(host.base.controllers, host.tree, 0);
  const paths = pathsByOwner(engine.desired);
  const beside = {
    now: Date.now(),
    resourceOf: (object: Served) => engine.desired.resources.get(objectKeyOf(object)),
    usageOf: (object: Served) => reader.readAll(paths.get(objectKeyOf(object)) ?? [], "basics"),
  };
  let first = true;
  for (const kind of OWN) {
    const some = objects.filter((object) => object.kind === kind.kind);
    if (some.length === 0) continue;
    if (!first) out("");
    first = false;
    const { columnDefinitions, rows } = tableOf(kind, some, "", "Object", beside);
    const shown = columnDefinitions.flatMap(({ priority }, index) => (wide || priority === 0 ? [index] : []));
    const header = shown.map((index) => (index === 0 ? kind.kind : (columnDefinitions[index]?.name ?? "")).toUpperCase());
    // What is not ready stands out.
    const colouredCell = (cell: string, column: number, object: Served): string =>
      column === 1 || (column === 2 && kind === WORKLOADS) ? coloured(readyOf(object).status, cell) : cell;
    const lines = rows.map(({ cells, object }) => shown.map((index) => colouredCell(String(cells[index] ?? ""), index, object as Served)));
    out(await table(header, lines, !wide));
  }
}

const coloured = (status: string, text: string): string => (status === "True" ? colour.green(text) : colour.yellow(text));

export async function describeObject(kind: string, name: string | undefined, options: GlobalOptions, version: string): Promise<number> {
  const target = parseTarget(kind, name);
  const opened = openEngine(options);
  const { engine, host } = opened;
  const { objects, events } = await stateOf(opened, options, version);
  for (const [index, object] of select(objects, target).entries()) {
    const view = object as unknown as ObjectView;
    if (index > 0) out("\n---\n");
    const resource = engine.desired.resources.get(objectKeyOf(object));
    if (!resource) {
      note(`${view.kind} ${view.metadata.name} is in force by an earlier version of its manifest, which cannot be read now (holdfast validate tells why)`);
      continue;
    }
    out(await description(view, resource, host.tree.root, host.options.logDirectory, events));
  }
  return 0;
}

const stateText = (state: ContainerState): string => {
  if (state.running) return `Running since ${state.running.startedAt} (pid ${state.running.pid})`;
  if (state.waiting) return `Waiting: ${state.waiting.reason} (${state.waiting.message})`;
  if (state.terminated) return `${exitWords(state.terminated)}, from ${state.terminated.startedAt} to ${state.terminated.finishedAt}`;
  return "Unknown";
};

/** The latest last. */
const driftLines = (fields: readonly FieldDrift[]): string[] =>
  fields.map(({ kind, field, desired, observed, count, firstSeen, lastSeen, detection, open }) => {
    const soon =
      detection === undefined
        ? ""
        : `, noticed ${detection.by === "Event" ? "after" : "within"} ${detection.seconds < 1 ? `${Math.round(detection.seconds * 1000)}ms` : `${Math.round(detection.seconds)}s`}`;
    return `${kind.padEnd(11)} ${field}: ${observed}, not ${desired}; ${count} times, first ${ageOf(firstSeen, Date.now())} ago, last ${ageOf(lastSeen, Date.now())} ago${soon}${open ? "; open" : ""}`;
  });

/** A line for each process; of each kind some. */
function memberLines(members: MembersStatus): string[] {
  const list = (found: readonly MemberStatus[], count: number, what: string): string[] => [
    ...found.map(({ pid, command, owner }) => `${String(pid).padEnd(8)} ${command.padEnd(16)} ${what}${owner === undefined ? "" : `${owner}`}`.trimEnd()),
    ...(count > found.length ? [`… and ${count - found.length} more${what === "" ? "" : ` ${what.trim()}`}`] : []),
  ];
  return [
    ...list(members.expected, members.expectedCount, ""),
    ...list(members.missing, members.missingCount, "missing: it belongs here, and is elsewhere"),
    ...list(members.unexpected, members.unexpectedCount, "unexpected: no rule says why it is here"),
    ...list(members.refused, members.refusedCount, "a rule fits it, and it is left to "),
  ];
}

async function description(view: ObjectView, resource: Resource, root: string, logDirectory: string, events: readonly Event[]): Promise<string> {
  const lines: string[] = [];
  const field = (label: string, value: string): void => void lines.push(`${`${label}:`.padEnd(14)}${value}`);
  const section = (label: string, entries: readonly string[]): void =>
    void lines.push(`${label}:`, ...(entries.length > 0 ? entries : ["<none>"]).map((entry) => `  ${entry}`));
  field("Name", view.metadata.name);
  field("Kind", view.kind);
  field("Manifest", nameLineOf(resource.origin));
  field("Generation", String(view.metadata.generation));
  field(
    "Labels",
    Object.entries(resource.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(", ") || "<none>",
  );
  field("Cgroup", view.status.cgroup.startsWith("/") ? view.status.cgroup : `${root}/${view.status.cgroup}`);
  if (view.status.governed)
    section(
      "Governs",
      view.status.governed.map(({ cgroup, owner, route }) => `${cgroup}  of ${owner}, limits by ${route}`),
    );
  field(
    "Drift",
    `${resource.drift}${view.status.drift ? `; ${view.status.drift.count} so far, last ${ageOf(view.status.drift.lastSeen, Date.now())} ago: ${view.status.drift.lastMessage}` : "; none so far"}`,
  );
  if (view.status.drift?.fields) section("Drifted", driftLines(view.status.drift.fields));
  section("Limits", limitsText(resource).split(", "));
  if (view.status.members) section("Members", memberLines(view.status.members));
  if (resource.kind === "Workload") {
    const { run } = resource;
    field("Command", run.argv.map((argument) => (/^[\w./:=@%+-]+$/.test(argument) ? argument : JSON.stringify(argument))).join(" "));
    field(
      "Restart",
      `${run.restartPolicy}, back-off ${formatDuration(run.backoff.initial * 1000)} x${run.backoff.factor} up to ${formatDuration(run.backoff.max * 1000)}`,
    );
    for (const [ordinal, replica] of (view.status.replicaStatuses ?? []).entries()) {
      section(`Replica ${replica.name}`, [
        `State:      ${stateText(replica.state)}`,
        ...(replica.lastState ? [`Last state: ${stateText(replica.lastState)}`] : []),
        `Restarts:   ${replica.restartCount}`,
        `Log:        ${logFile(logDirectory, resource.name, ordinal, run.logs)}`,
      ]);
    }
  }
  const conditions = view.status.conditions.map(({ type, status, reason, message, lastTransitionTime }) => [
    type,
    status,
    reason,
    ageOf(lastTransitionTime, Date.now()),
    message,
  ]);
  section("Conditions", (await table(["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], conditions, false)).split("\n"));
  const own = events.filter(({ object }) => object === resource.key).slice(-15);
  const rows = own.map((event) => [ageOf(event.eventTime, Date.now()), event.type, event.reason, `${event.note}${event.source ? `  ${event.source}` : ""}`]);
  section("Events", rows.length > 0 ? (await table(["LAST SEEN", "TYPE", "REASON", "MESSAGE"], rows, false)).split("\n") : []);
  return lines.join("\n");
}
