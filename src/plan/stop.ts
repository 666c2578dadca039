/** Knows how a workload is ended: its preStop hook, then asked, given its grace period, and only then killed. */
import type { CgroupPath } from "../cgroup/path.ts";
import type { Action } from "./action.ts";
import { whyReplaced } from "./ending.ts";
import { begun } from "./health.ts";
import type { Ending, ObservedAttempt, ReplicaRecord, Stopping } from "./observed.ts";
import type { Decision, Question, ReplicaState } from "./question.ts";
import type { StopReason } from "./reasons.ts";
import { targetOf } from "./target.ts";

/** Why an attempt must end, and what is special about that end. */
export type Why = Pick<Stopping, "message" | "grace"> & { readonly reason: StopReason };

/** What a preStop hook that outlasts the grace period leaves the process to end in, ms, as in Kubernetes. */
const LAST_CHANCE = 2000;

/** Hook, signal, wait for the grace period, kill. */
export function stop(attempt: ObservedAttempt, why: Why, question: Question, record: ReplicaRecord, actions: Action[], state: ReplicaState): Decision {
  const { id: replica, desired, owner, now } = question;
  const { meta, main } = attempt;
  if (!meta || !main) return { actions, state };
  const path = meta.path as CgroupPath;
  const run = endingOf(attempt, question, record);
  const grace = why.grace ?? run.gracePeriodSeconds * 1000;
  const alone = why.reason === "started twice" || run.killMode === "Process";
  const signal = (name: NodeJS.Signals, stopping: Stopping): void => {
    const to = { owner, path, replica, signal: name, reason: why.reason, record: { ...record, stopping } };
    if (run.killMode === "ControlGroup" && !alone) actions.push({ type: "signalAll", orphaned: false, ...to });
    else actions.push({ type: "signal", ...to, attempt: attempt.id, pid: main.pid });
  };
  const known = begun(record, attempt.id);
  if (!known) {
    const stopping: Stopping = { attempt: attempt.id, since: now, ...why };
    if (!run.preStop || typeof main.stage === "number" || main.creating || why.reason === "started twice") signal(run.stopSignal, stopping);
    else preStop({ ...stopping, hook: true });
    return { actions, state, wakeAt: now + grace };
  }
  const deadline = known.since + grace;
  if (known.hook) {
    const task = question.task(keyOf(known));
    if (now < deadline && task === undefined) preStop(known);
    if (now < deadline && (task === undefined || task === "running")) return { actions, state, wakeAt: deadline };
    if (typeof task === "object" && !task.ok)
      actions.push({ type: "complain", owner, path, replica, note: `${replica}: preStop hook failed: ${task.message}` });
    const { hook: _, ...stopping } = known;
    const since = now < deadline ? known.since : now + LAST_CHANCE - grace;
    signal(run.stopSignal, { ...stopping, since });
    return { actions, state, wakeAt: since + grace };
  }
  if (known.unsent) {
    // A controller was killed between writing that down and the signal: better asked twice than killed without a word.
    const { unsent: _, ...stopping } = known;
    signal(run.stopSignal, { ...stopping, since: now });
    return { actions, state, wakeAt: now + grace };
  }
  if (now < deadline) return { actions, state, wakeAt: deadline };
  // A second copy shares its cgroup with the first one, and what is to outlive the main process with that.
  if (alone) signal("SIGKILL", known);
  else actions.push({ type: "kill", owner, path, replica, reason: "grace period over" });
  return { actions, state, wakeAt: now + Math.max(grace, 1000) };

  function preStop(stopping: Stopping): void {
    const handler = run.preStop;
    const target = targetOf(attempt, desired);
    if (!handler || !target) return;
    const timeout = Math.max(1, stopping.since + grace - now);
    actions.push({
      type: "hook",
      owner,
      path,
      replica,
      which: "preStop",
      key: keyOf(stopping),
      target,
      handler,
      timeout,
      record: { ...record, stopping },
    });
  }
}

/** Each end that is begun has a hook of its own. */
const keyOf = ({ attempt, since }: Stopping): string => `${attempt}/preStop/${since}`;

/** As it is declared, or was declared last, or was when it started. */
function endingOf(attempt: ObservedAttempt, { desired }: Question, record: ReplicaRecord): Ending {
  return desired?.resource.run ?? (record.current?.attempt === attempt.id ? record.current : (attempt.meta as Ending));
}

/**
 * Processes without their holder: somebody killed it. While they are what is declared they go on, only how they end cannot be
 * known. Else they are ended as any other workload, all of them alike.
 */
export function stopOrphans(
  orphans: readonly (readonly [CgroupPath, readonly number[]])[],
  question: Question,
  record: ReplicaRecord,
  actions: Action[],
): Decision {
  const { id: replica, desired, owner, now } = question;
  const { attempt = "", startedAt = new Date(now).toISOString() } = record.current ?? {};
  const state: ReplicaState = { running: { pid: orphans[0]?.[1][0] ?? 0, startedAt } };
  const replaced = record.current && whyReplaced(record.current, question);
  const unwanted = orphans.filter(([path]) => !desired || path !== desired.path || replaced);
  if (unwanted.length === 0) return { actions, state };
  const reason: StopReason = desired ? (replaced ?? "new revision") : "not declared any more";
  const { gracePeriodSeconds = 30, stopSignal: signal = "SIGTERM" } = desired?.resource.run ?? record.current ?? {};
  const grace = gracePeriodSeconds * 1000;
  const known = begun(record, attempt);
  const deadline = known && !known.unsent ? known.since + grace : undefined;
  if (deadline !== undefined && now < deadline) return { actions, state, wakeAt: deadline };
  const stopping: Stopping = { attempt, since: now, reason };
  for (const [path] of unwanted) {
    if (deadline === undefined) actions.push({ type: "signalAll", orphaned: true, owner, path, replica, signal, reason, record: { ...record, stopping } });
    else actions.push({ type: "kill", owner, path, replica, reason: "grace period over" });
  }
  return { actions, state, wakeAt: now + grace };
}
