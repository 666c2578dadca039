/** Knows `holdfast get` and `describe`: look at objects, kubectl-fashion. */

import { LIMITS, type LimitName } from "../api/limits.ts";
import { formatDuration } from "../api/quantity.ts";
import type { Kind, ObjectKey, Resource } from "../api/resource.ts";
import type { ContainerState, Event, FieldDrift, MemberStatus, MembersStatus, ObjectView, ReplicaStatus } from "../api/status.ts";
import { logFile } from "../host/logs.ts";
import { lineOf } from "../manifest/locate.ts";
import { suggest } from "../manifest/suggest.ts";
import { exitWords } from "../plan/describe.ts";
import { type GlobalOptions, openEngine, UsageError } from "./context.ts";
import { age, colour, note, out, problemText, structured, table } from "./print.ts";

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

function select(views: readonly ObjectView[], { kind, name }: ReturnType<typeof parseTarget>): ObjectView[] {
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

const ready = (view: ObjectView): { status: string; reason: string; message: string } =>
  view.status.conditions.find(({ type }) => type === "Ready") ?? { status: "Unknown", reason: "", message: "" };

/** `cpu.max 20%, memory.max 200Mi` */
function limitsOf(resource: Resource | undefined): string {
  const shown = Object.entries(resource?.limits ?? {}).map(([name, value]) => {
    const { format } = LIMITS[name as LimitName];
    if (typeof value === "string") return `${name} ${format(value)}`;
    return `${name} ${Object.entries(value)
      .map(([device, rates]) => `${device} ${format(rates)}`)
      .join("; ")}`;
  });
  return shown.join(", ") || "-";
}

const stateWord = (replica: ReplicaStatus | undefined): string => {
  const { running, waiting, terminated } = replica?.state ?? {};
  return running ? "Running" : (waiting?.reason ?? terminated?.reason ?? "Unknown");
};

function runningSince(view: ObjectView): string {
  const since = (view.status.replicaStatuses ?? []).flatMap(({ state }) => state.running?.startedAt ?? []).sort()[0];
  return since === undefined ? "-" : age(since);
}

const coloured = (status: string, text: string): string => (status === "True" ? colour.green(text) : colour.yellow(text));

export async function get(
  kind: string | undefined,
  name: string | undefined,
  options: GlobalOptions & { output: "table" | "wide" | "json" | "yaml" | "name" },
): Promise<number> {
  const target = parseTarget(kind, name);
  const { engine, set, directory } = openEngine(options);
  const views = select(engine.views(), target);
  if (options.output === "json" || options.output === "yaml")
    out(await structured(target.name !== undefined ? views[0] : { apiVersion: "v1", kind: "List", items: views }, options.output));
  else if (options.output === "name") for (const { kind: of, metadata } of views) out(`${of.toLowerCase()}/${metadata.name}`);
  else await tables(views, (key) => engine.desired.resources.get(key), options.output === "wide");
  if (views.length === 0) note(`no ${target.kind ?? "object"}s in ${directory}`);
  for (const problem of set.manifests.problems) note(problemText(problem));
  return set.manifests.problems.length > 0 ? 1 : 0;
}

async function tables(views: readonly ObjectView[], resourceOf: (key: ObjectKey) => Resource | undefined, wide: boolean): Promise<void> {
  const groups = views.filter(({ kind }) => kind === "LimitGroup");
  const workloads = views.filter(({ kind }) => kind === "Workload");
  const keyOf = (view: ObjectView): ObjectKey => `${view.kind}/${view.metadata.name}`;
  const drifted = ({ status }: ObjectView): string => (status.drift ? `${status.drift.count} (${age(status.drift.lastSeen)} ago)` : "0");
  if (groups.length > 0) {
    const rows = groups.map((view) => {
      const { status, reason, message } = ready(view);
      const row = [view.metadata.name, coloured(status, status === "True" ? "True" : `${status} ${reason}`), limitsOf(resourceOf(keyOf(view))), drifted(view)];
      return wide ? [...row, view.status.cgroup, message] : row;
    });
    out(await table(["LIMITGROUP", "READY", "LIMITS", "DRIFT", ...(wide ? ["CGROUP", "MESSAGE"] : [])], rows, !wide));
  }
  if (groups.length > 0 && workloads.length > 0) out("");
  if (workloads.length > 0) {
    const rows = workloads.map((view) => {
      const { status, reason, message } = ready(view);
      const { readyReplicas = 0, replicas = 0, restartCount = 0, replicaStatuses = [] } = view.status;
      const notReady = replicaStatuses.find((replica) => !replica.ready);
      const word = replicas === 0 ? "ScaledToZero" : notReady ? stateWord(notReady) : status === "True" ? "Running" : `Running,${reason}`;
      const row = [view.metadata.name, coloured(status, `${readyReplicas}/${replicas}`), coloured(status, word), String(restartCount), runningSince(view)];
      return wide ? [...row, limitsOf(resourceOf(keyOf(view))), view.status.cgroup, message] : row;
    });
    out(await table(["WORKLOAD", "READY", "STATUS", "RESTARTS", "AGE", ...(wide ? ["LIMITS", "CGROUP", "MESSAGE"] : [])], rows, !wide));
  }
}

export async function describeObject(kind: string, name: string | undefined, options: GlobalOptions): Promise<number> {
  const target = parseTarget(kind, name);
  const { engine, host } = openEngine(options);
  const views = select(engine.views(), target);
  for (const [index, view] of views.entries()) {
    if (index > 0) out("\n---\n");
    const resource = engine.desired.resources.get(`${view.kind}/${view.metadata.name}`);
    if (!resource) {
      note(`${view.kind} ${view.metadata.name} is in force by an earlier version of its manifest, which cannot be read now (holdfast validate tells why)`);
      continue;
    }
    out(await description(view, resource, host.tree.root, host.options.logDirectory, engine.teller.events));
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
    return `${kind.padEnd(11)} ${field}: ${observed}, not ${desired}; ${count} times, first ${age(firstSeen)} ago, last ${age(lastSeen)} ago${soon}${open ? "; open" : ""}`;
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
  field("Manifest", lineOf(resource.origin, "/metadata/name"));
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
    `${resource.drift}${view.status.drift ? `; ${view.status.drift.count} so far, last ${age(view.status.drift.lastSeen)} ago: ${view.status.drift.lastMessage}` : "; none so far"}`,
  );
  if (view.status.drift?.fields) section("Drifted", driftLines(view.status.drift.fields));
  section("Limits", limitsOf(resource).split(", "));
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
    age(lastTransitionTime),
    message,
  ]);
  section("Conditions", (await table(["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], conditions, false)).split("\n"));
  const own = events.filter(({ object }) => object === resource.key).slice(-15);
  const rows = own.map((event) => [age(event.eventTime), event.type, event.reason, `${event.note}${event.source ? `  ${event.source}` : ""}`]);
  section("Events", rows.length > 0 ? (await table(["LAST SEEN", "TYPE", "REASON", "MESSAGE"], rows, false)).split("\n") : []);
  return lines.join("\n");
}
