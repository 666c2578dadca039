/** Knows what to do about one replica: the life cycle of a workload, decided afresh from what is there. */
import type { RunSpec } from "../api/resource.ts";
import { type CgroupPath, ROOT } from "../cgroup/path.ts";
import type { Action, Target } from "./action.ts";
import type { DesiredReplica } from "./desired.ts";
import { endsAt, whyStop } from "./ending.ts";
import { terminated } from "./exit.ts";
import { begun, everBegun, healthOf, isAlive, needsHealth, nextHealth } from "./health.ts";
import { next } from "./next.ts";
import type { AttemptMeta, Current, Ending, ObservedAttempt, ObservedMain, ReplicaRecord } from "./observed.ts";
import { type Decision, earliest, type Question, type ReplicaState, SOON, waiting } from "./question.ts";
import { afterEnd } from "./restart.ts";
import { provenAt } from "./rollout.ts";
import { same } from "./same.ts";
import { stop, stopOrphans } from "./stop.ts";
import { targetOf } from "./target.ts";

const EMPTY: ReplicaRecord = { starts: 0, restarts: 0, streak: 0 };
/** Nothing tells when an init command has ended: how often to look, ms. */
const INIT_LOOK = 100;

export function decide(question: Question): Decision {
  const { id: replica, desired, observed, owner, now } = question;
  const actions: Action[] = [];
  let record = observed?.record ?? EMPTY;
  const alive: ObservedAttempt[] = [];
  const ended = new Set<CgroupPath>();
  for (const attempt of observed?.attempts ?? []) {
    const path = (attempt.meta?.path ?? desired?.path ?? ROOT) as CgroupPath;
    const named = { owner, path, replica, attempt: attempt.id };
    if (!attempt.holder) actions.push({ type: "void", ...named });
    else if (!attempt.main || !attempt.meta) {
      // The launching shell has not forked yet, or somebody continued the holder and it is about to go.
      if (!attempt.holder.stopped) return { actions, state: waiting("Starting", "the launching shell is at work"), wakeAt: now + SOON };
      actions.push({ type: "release", ...named, holder: attempt.holder.pid });
    } else if (attempt.main.exited) {
      if (record.last?.attempt !== attempt.id) {
        const outlived = record.current?.attempt === attempt.id ? record.current.oomKills : undefined;
        const oomKilled = question.oomKills(path) > (outlived ?? attempt.meta.oomKills);
        const end = terminated(attempt.main, attempt.meta, everBegun(record, attempt.id), oomKilled, now);
        record = afterEnd(record, { ...end, attempt: attempt.id, revision: attempt.meta.revision }, desired?.resource.run.backoff, now);
        actions.push({ type: "record", ...named, asked: record.last?.asked === true, terminated: end, record });
      }
      ended.add(path);
      actions.push({ type: "release", ...named, holder: attempt.holder.pid });
    } else {
      if (!attempt.holder.stopped) actions.push({ type: "hold", ...named, holder: attempt.holder.pid });
      alive.push(attempt);
    }
  }
  // An attempt that never began may begin this very moment, unless its directory could be taken away: the next look tells.
  const voided = actions.some(({ type }) => type === "void");
  const [first, ...twins] = alive.sort((a, b) => ((a.meta?.startedAt ?? "") < (b.meta?.startedAt ?? "") ? -1 : 1));
  const left = [...(observed?.members ?? [])].filter(([path, pids]) => pids.length > 0 && alive.every(({ meta }) => meta?.path !== path));
  const spares = desired?.resource.run.killMode === "Process";
  for (const [path] of left)
    if ((first || ended.has(path)) && !(spares && path === desired?.path))
      actions.push({ type: "kill", owner, path, replica, reason: "left behind by the main process" });
  if (first?.main && first.meta) return running(first, twins[0], question, record, actions);
  const orphans = left.filter(([path]) => !ended.has(path) && !(spares && !isAlive(record) && path === desired?.path));
  if (orphans.length > 0) return stopOrphans(orphans, question, record, actions);
  // Its cgroup is being emptied: whatever starts next starts in an empty one.
  if (actions.some(({ type }) => type === "kill")) return { actions, state: waiting("Stopping", "its last processes are being ended"), wakeAt: now + SOON };
  if (voided) return { actions, state: waiting("Starting", "an earlier start is being cleared"), wakeAt: now + SOON };
  // A start that was written down and left no trace never was.
  return { ...next(question, record.before ?? record, actions), actions };
}

/** What to do about a main process that lives. */
function running(first: ObservedAttempt, twin: ObservedAttempt | undefined, question: Question, before: ReplicaRecord, actions: Action[]): Decision {
  const { id: replica, desired, owner, now } = question;
  const { main, meta } = first;
  if (!main || !meta) return { actions, state: waiting("Starting", "the launching shell is at work") };
  let record = before;
  const initializing = typeof main.stage === "number" || main.creating === true;
  const state: ReplicaState = main.creating
    ? waiting("ContainerCreating", "the runtime is making its container")
    : typeof main.stage === "number"
      ? waiting(`Init:${main.stage}/${meta.inits?.length ?? 0}`, `init command ${meta.inits?.[main.stage] ?? main.stage} is at work`)
      : { running: { pid: main.pid, startedAt: meta.startedAt } };
  const current = currentOf(first.id, meta, desired, record.current, outlivedBy(main, meta, question));
  if (!same(record.current, current) || record.before) {
    const { before: _, ...known } = record;
    record = { ...known, starts: Math.max(record.starts, 1), current };
    actions.push({ type: "adopt", owner, path: current.path as CgroupPath, replica, record });
  }
  if (twin) return stop(twin, { reason: "started twice" }, question, record, actions, state);
  const why = whyStop(first, question, record);
  if (why?.reason === "not declared any more" && question.dependents)
    return { actions, state: waiting("Stopping", "workloads that depend on it end first"), wakeAt: now + INIT_LOOK };
  if (why || !desired) {
    const decision = stop(first, why ?? { reason: "not declared any more" }, question, record, actions, state);
    // The shell that stands for it may end a moment after all that is in the cgroup, and nothing tells of that.
    return initializing ? { ...decision, wakeAt: now + INIT_LOOK } : decision;
  }
  const stopping = begun(record, first.id);
  if (stopping) {
    record = { ...record, stopping: { ...stopping, spared: true } };
    actions.push({ type: "spare", owner, path: desired.path, replica, record });
  }
  const { pid, strayed } = main;
  for (const hierarchy of strayed) if (question.hierarchies.has(hierarchy)) actions.push({ type: "place", owner, path: desired.path, hierarchy, pid, replica });
  if (initializing) return { actions, state, wakeAt: now + (main.creating ? SOON : INIT_LOOK) };
  const target = targetOf(first, desired);
  const plain = before.current === undefined || (before.current.attempt === first.id && !before.current.watched);
  if (target) record = lookAfter(target, plain, question, record, actions);
  const proven = provenAt(record, desired);
  // Once it has been available, that is all a rollout waits for.
  if (proven !== undefined && proven <= now && record.run)
    actions.push({ type: "note", owner, path: desired.path, replica, record: { ...record, run: { ...record.run, proven: true } } });
  const wakeAt = earliest([endsAt(question, record), proven !== undefined && proven > now ? proven : undefined]);
  return { actions, state, target, ...(wakeAt === undefined ? {} : { wakeAt }) };
}

/** The postStart hook, and what hooks and probes say of its health; the record with that. `plain`: it was ready just by running, until now. */
function lookAfter(
  target: Target,
  plain: boolean,
  { id: replica, desired, owner, findings, task, now }: Question,
  record: ReplicaRecord,
  actions: Action[],
): ReplicaRecord {
  if (!record.current?.watched || !desired) return record;
  const { path, resource } = desired;
  const { postStart } = resource.run;
  const { attempt } = target;
  const startedAt = Date.parse(record.current.startedAt);
  const before = healthOf(record) ?? (plain ? { attempt, hooked: true, started: true, ready: true, since: startedAt } : undefined);
  const key = `${attempt}/postStart`;
  const hook = task(key);
  const hooked = postStart === undefined || before?.hooked === true || (typeof hook === "object" && hook.ok);
  if (!hooked && hook === undefined && postStart)
    actions.push({ type: "hook", owner, path, replica, which: "postStart", key, target, handler: postStart, timeout: LONGEST_HOOK, record: undefined });
  const health = nextHealth(record.current.probes ?? {}, attempt, before, hooked, findings, now);
  if (same(record.health, health)) return record;
  const after = { ...record, health };
  actions.push({ type: "health", owner, path, replica, before, health, record: after });
  return after;
}

/** A postStart hook that takes longer has failed, ms. */
export const LONGEST_HOOK = 600_000;

/** What is to be known of a run: how to stop it as it was declared last, and how to tell how it is. */
function currentOf(
  attempt: string,
  meta: AttemptMeta,
  desired: DesiredReplica | undefined,
  before: ReplicaRecord["current"],
  kills: number | undefined,
): Current {
  const { path, revision, startedAt, stopSignal, gracePeriodSeconds } = meta;
  const known = before?.attempt === attempt ? before : undefined;
  const oomKills = kills ?? known?.oomKills;
  const outlived = oomKills === undefined ? {} : { oomKills };
  if (!desired) return { ...(known ?? { attempt, path, revision, startedAt, stopSignal, gracePeriodSeconds }), ...outlived };
  // An older revision is ended as it is declared now, and probed as it was declared then.
  const { probes, watched } = revision === desired.revision ? watchOf(desired.resource.run) : (known ?? {});
  return { attempt, path, revision, startedAt, ...endingOf(desired.resource.run), ...(probes ? { probes } : {}), ...(watched ? { watched } : {}), ...outlived };
}

/** OOM kills that were those of others in its cgroup, a probe or a child: it lives on. Counted first, for what comes in between. */
function outlivedBy({ pid }: ObservedMain, { path, oomKills: before }: AttemptMeta, { oomKills, isDoomed }: Question): number | undefined {
  const now = oomKills(path as CgroupPath);
  return now > before && !isDoomed(pid) ? now : undefined;
}

/** How to end it, with what is not the usual. */
function endingOf({ stopSignal, gracePeriodSeconds, killMode, preStop, dependsOn }: RunSpec): Ending & Pick<Current, "dependsOn"> {
  return {
    stopSignal,
    gracePeriodSeconds,
    ...(killMode === "Mixed" ? {} : { killMode }),
    ...(preStop ? { preStop } : {}),
    ...(dependsOn.length > 0 ? { dependsOn: dependsOn.map(({ name }) => name) } : {}),
  };
}

function watchOf(run: RunSpec): Pick<Current, "probes" | "watched"> {
  return { ...(Object.keys(run.probes).length > 0 ? { probes: run.probes } : {}), ...(needsHealth(run) ? { watched: true } : {}) };
}

/** What is to be known of an attempt that was started as it is declared. */
export function currentOfStart(attempt: string, startedAt: string, { path, revision, resource }: DesiredReplica): Current {
  return { attempt, path, revision, startedAt, ...endingOf(resource.run), ...watchOf(resource.run) };
}

/** What travels with the holder of a new attempt. */
export function metaOf(
  { resource: { run, name }, ordinal, path, revision, argv, wrap, initCommands }: DesiredReplica,
  startedAt: string,
  oomKills: number,
): AttemptMeta {
  return {
    workload: name,
    ordinal,
    path,
    revision,
    startedAt,
    oomKills,
    stopSignal: run.stopSignal,
    gracePeriodSeconds: run.gracePeriodSeconds,
    command: argv[0] ?? "",
    workingDir: run.workingDir,
    ...(run.identity.umask === undefined ? {} : { umask: run.identity.umask }),
    ...(wrap.length > 0 ? { wrap } : {}),
    ...(initCommands.length > 0 ? { inits: initCommands.map((init) => init.name) } : {}),
  };
}
