/** Knows what a smaller memory.max comes to in its first minute: if processes are killed, what was before comes back, until the manifest says something else. */
import type { Problem } from "../api/problem.ts";
import { isForced } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { shownValue } from "../cgroup/show.ts";
import type { Action, ActionOf } from "../plan/action.ts";
import type { Plan } from "../plan/decision.ts";
import type { Desired, DesiredCgroup } from "../plan/desired.ts";
import type { Bake } from "../plan/pressure.ts";
import { problemOf } from "../plan/problemOf.ts";
import type { Outcome } from "./apply.ts";

/** How long it is watched, ms. */
const WINDOW = 60_000;

/** A value that was taken back: what was written then, and why it is not any more. */
export interface Reverted {
  readonly write: Write;
  /** In words. */
  readonly note: string;
}

type Write = ActionOf<"write">;
const idOf = ({ path, hierarchy, file, key }: Pick<Write, "path" | "hierarchy" | "file" | "key">): string => [path, hierarchy, file, key].join("\n");
const isOfMemory = (action: Action): action is Write =>
  action.type === "write" && action.cause === "pending" && (action.knob === "memory.max" || action.knob === "memory.swap.max");

export class Bakes {
  readonly watched = new Map<CgroupPath, Bake & { readonly writes: readonly Write[] }>();
  private readonly reverted: Map<string, Reverted>;
  private readonly patched = new WeakMap<DesiredCgroup, DesiredCgroup>();

  constructor(before: readonly Reverted[]) {
    this.reverted = new Map(before.map((one) => [idOf(one.write), one]));
  }

  get all(): readonly Reverted[] {
    return [...this.reverted.values()];
  }

  /** Takes what was done and found. */
  note({ tightened, jumped }: Pick<Plan, "tightened" | "jumped">, outcomes: readonly Outcome[], now: number): void {
    for (const path of jumped) this.revert(path);
    for (const [path, { until }] of this.watched) if (until <= now) this.watched.delete(path);
    for (const [path, harm] of tightened) {
      const writes = outcomes.flatMap(({ action, error, skipped }) => (action.path === path && !error && !skipped && isOfMemory(action) ? [action] : []));
      if (writes.length > 0) this.watched.set(path, { until: now + WINDOW, ...harm, writes });
    }
  }

  private revert(path: CgroupPath): void {
    const writes = this.watched.get(path)?.writes ?? [];
    this.watched.delete(path);
    const [first] = writes.filter(({ knob }) => knob === "memory.max");
    if (!first) return;
    const value = (text: string): string => shownValue(first.knob, first.file, text);
    const note = `processes were killed within ${WINDOW / 1000}s after memory.max went from ${value(first.from)} to ${value(first.to)}: ${value(first.from)} is back until the manifest says something else`;
    for (const write of writes) this.reverted.set(idOf(write), { write, note });
  }

  /** What is desired, with what was taken back in its place; of what the manifests say anew nothing is remembered. */
  patch(desired: Desired): Desired {
    if (this.reverted.size === 0) return desired;
    const cgroups = new Map(desired.cgroups);
    const problems = new Map<string, Problem>();
    for (const [id, { write, note }] of this.reverted) {
      const { path, file, key, from, to } = write;
      const cgroup = cgroups.get(path);
      const setting = cgroup?.settings.get(file)?.get(key);
      if (!cgroup?.owner || setting?.value !== to || isForced(cgroup.owner)) {
        if (!desired.held) this.reverted.delete(id);
        continue;
      }
      const known = this.patched.get(cgroup);
      const made = known ?? {
        ...cgroup,
        settings: new Map(cgroup.settings).set(file, new Map(cgroup.settings.get(file)).set(key, { ...setting, value: from, standIn: true as const })),
      };
      this.patched.set(cgroup, made);
      cgroups.set(path, made);
      problems.set(path, problemOf(cgroup.owner, "Reverted", "/spec/limits/memory.max", note, { cgroup: path }));
    }
    return { ...desired, cgroups, problems: [...desired.problems, ...problems.values()] };
  }
}
