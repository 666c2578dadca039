/** Knows `holdfast apply`: converge once, with progress, and tell what was refused. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { closeInherited } from "../host/inherited.ts";
import { RootInUse } from "../host/lock.ts";
import { bootId } from "../host/procfs.ts";
import { readJson } from "../host/records.ts";
import type { Plan } from "../plan/decision.ts";
import { begun, isAlive } from "../plan/health.ts";
import { IMAGES } from "../plan/image.ts";
import { movedSince, type SavedPlan } from "../plan/saved.ts";
import { auditorOf } from "../reconcile/auditor.ts";
import type { Engine } from "../reconcile/engine.ts";
import { saveController } from "../reconcile/state.ts";
import { Account } from "./account.ts";
import { type GlobalOptions, openEngine, placesOf, refuseShared, UsageError } from "./context.ts";
import { note, plural } from "./print.ts";

/** How often a stop in progress is looked at, ms. */
const LOOK_AGAIN = 100;

/** A plan that `diff --out` saved, of this root. */
function readPlan(file: string, root: string): SavedPlan {
  const plan = readJson(file) as Partial<SavedPlan> | undefined;
  if (plan?.format !== 1 || !Array.isArray(plan.actions) || typeof plan.directory !== "string")
    throw new UsageError(`${file} is no plan that diff --out has saved${existsSync(file) ? "" : " (it does not exist)"}`);
  if (plan.root !== root) throw new UsageError(`${file} is a plan for the root cgroup ${plan.root}, and this is ${root} (--root)`);
  return plan as SavedPlan;
}

/** Refuses what is not what was planned, and names it. */
function approveAs(file: string, saved: SavedPlan): (plan: Plan) => void {
  return ({ actions }) => {
    const moved = saved.bootId === bootId() ? movedSince(saved, actions) : ["the machine has booted since"];
    if (moved.length === 0) return;
    const shown = moved.slice(0, MOST_SHOWN).map((line) => `\n  ${line}`);
    const more = moved.length > MOST_SHOWN ? `\n  … and ${moved.length - MOST_SHOWN} more` : "";
    throw new UsageError(
      `${file} was made at ${saved.time}, and things have moved since; nothing was done:${shown.join("")}${more}\n(make it anew: holdfast diff --out ${file})`,
    );
  };
}

const MOST_SHOWN = 20;

/** What counts as a change in the closing line. */
const CHANGES: ReadonlySet<string> = new Set(["write", "create", "start", "remove", "signal", "join", "leave"]);

export async function apply(planFile: string | undefined, given: GlobalOptions & { prune?: string }): Promise<number> {
  closeInherited();
  refuseShared(given);
  const saved = planFile === undefined ? undefined : readPlan(planFile, placesOf(given).root);
  const options = saved && given.filename === undefined ? { ...given, filename: saved.directory } : given;
  const account = new Account();
  const started = Date.now();
  const { engine, directory, host, unlock } = openEngine(options, {
    emit: (event) => account.event(event),
    audit: auditorOf({ ...placesOf(options) }, note),
    ...(saved && planFile !== undefined ? { approve: approveAs(planFile, saved) } : {}),
    forcePrune: options.prune === "force",
    lock: (opened) => lockOrExplain(opened.lock),
  });
  try {
    const { done, plan } = await convergeFully(engine);
    account.flush();
    await engine.save();
    const { runDirectory, logDirectory, imageDirectory } = host.options;
    saveController(runDirectory, { pid: process.pid, directory: resolve(directory), logDirectory, imageDirectory, ephemeral: false });
    const refused = plan.actions.length;
    const took = `${((Date.now() - started) / 1000).toFixed(2)}s`;
    note(
      refused > 0 || plan.problems.length > 0
        ? `${plural(done, "change")} made, ${refused} refused, ${plural(plan.problems.length, "problem")} (${took})`
        : done === 0
          ? `nothing to do: ${plural(engine.desired.resources.size, "object")} converged (${took})`
          : `${plural(done, "change")} made, all converged (${took})`,
    );
    return refused > 0 || plan.problems.length > 0 ? 1 : 0;
  } finally {
    unlock();
    host.close();
  }
}

export function lockOrExplain(lock: () => () => void): () => void {
  try {
    return lock();
  } catch (error) {
    if (error instanceof RootInUse) throw new UsageError(`${error.message}; it follows the manifests by itself (or use another --root)`);
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM" || code === "EROFS")
      throw new UsageError(`cgroups cannot be written here (${message}): run as root, or where the cgroup mount is writable`);
    throw error;
  }
}

/** Whether a replica is on its way out: asked to end, or not declared any more and still there. */
function isEnding({ host, desired }: Engine, replica: string): boolean {
  const record = host.records.read(replica);
  if (!record?.current || !isAlive(record)) return false;
  return begun(record, record.current.attempt) !== undefined || (!desired.held && !desired.replicas.has(replica));
}

/** Converges until only time (a back-off) or a refusal is left; waits for workloads that are stopping. */
export async function convergeFully(engine: Engine): Promise<{ done: number; plan: Plan }> {
  let done = 0;
  for (;;) {
    const { outcomes, plan } = await engine.converge();
    done += outcomes.filter(({ error, skipped, action: { type } }) => !error && !skipped && CHANGES.has(type)).length;
    const stopping = engine.host.records.list().some((replica) => isEnding(engine, replica));
    // What an image is unpacked for starts after that.
    const unpacking = engine.host.tasks.isBusy(IMAGES) || outcomes.some(({ action }) => action.type === "unpack");
    const stuck = plan.actions.some(({ type }) => type === "kill" || type === "signal" || type === "signalAll");
    const creating = [...plan.states.values()].some((state) => "waiting" in state && state.waiting.reason === "ContainerCreating");
    const ending = stopping && !stuck && (outcomes.length > 0 || plan.wakes.size > 0);
    if (!unpacking && !creating && !ending) return { done, plan };
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}
