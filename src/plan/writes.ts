/** Knows which limits must be written, in what order, and which must not be: reported drift, shrinks that would kill. */
import type { Problem } from "../api/problem.ts";
import { formatBytes } from "../api/quantity.ts";
import { FORCE_ANNOTATION, type Resource } from "../api/resource.ts";
import { pointerPart } from "../api/schemas.ts";
import { writeText } from "../cgroup/knobs.ts";
import type { FileEntry } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { locate } from "../manifest/locate.ts";
import type { Action, ActionOf, Cause } from "./action.ts";
import { causeOf, causeOfMissing } from "./applied.ts";
import { compare, type Difference, scalarOf } from "./compare.ts";
import type { DesiredCgroup } from "./desired.ts";
import { inOrder, type Step, steps, withPeriodDetour } from "./order.ts";
import type { Inputs } from "./plan.ts";

interface Write {
  readonly path: CgroupPath;
  readonly hierarchy: string;
  readonly owner: Resource | undefined;
  readonly cause: Cause;
  readonly step: Step;
}

/** `/spec/limits/memory.max` or `/spec/frozen`. */
export function pointerOf(knob: string): string {
  return knob === "frozen" ? "/spec/frozen" : `/spec/limits/${pointerPart(knob)}`;
}

/** All writes of limits. `absent`: directories that are missing and will stay so. */
export function limitWrites(
  sorted: readonly DesiredCgroup[],
  inputs: Inputs,
  absent: ReadonlySet<string>,
  problems: Problem[],
): { actions: Action[]; reported: Action[] } {
  const { observed, applied } = inputs;
  const writes: Write[] = [];
  const reported: Action[] = [];
  const asAction = ({ path, hierarchy, owner, cause, step }: Write): ActionOf<"write"> => {
    const { entry, key, from, to, declared } = step.difference;
    const text = writeText({ file: entry.file, key, value: to });
    return {
      type: "write",
      owner: owner?.key,
      path,
      hierarchy,
      file: entry.file.name,
      key,
      knob: entry.knob,
      from,
      to,
      text,
      declared,
      cause,
    };
  };
  for (const cgroup of sorted) {
    const { path, owner, hierarchies } = cgroup;
    for (const [hierarchy, table] of observed.machine.tables) {
      const seen = observed.cgroups.get(hierarchy)?.get(path);
      if ((!seen && !hierarchies.has(hierarchy)) || absent.has(`${hierarchy}:${path}`)) continue;
      const inherited = (file: string): string | undefined => (seen ? undefined : parentValue(inputs, hierarchy, table, path, file));
      const { differences, missing } = compare(table, cgroup, seen, inherited);
      if (differences.length === 0 && missing.length === 0) continue;
      for (const { file, knob } of missing) problems.push(unsupported(owner, knob, file.name, file.needs));
      // In a new directory everything is as new as the directory.
      const why = ({ entry, key }: Difference): Cause =>
        seen ? causeOf(applied, cgroup, entry.file.name, key) : causeOfMissing(applied, owner, path, hierarchy);
      const wanted = differences.filter((difference) => {
        if (owner?.drift === "Report" && why(difference) === "drift") {
          reported.push(asAction({ path, hierarchy, owner, cause: "drift", step: { difference, phase: "widen" } }));
          return false;
        }
        const blocked = shrinkBlocked(owner, path, difference, inputs);
        if (blocked) problems.push(blocked);
        return !blocked;
      });
      // v1's quota may move only because its period does: one reason for both.
      const period = wanted.find(({ entry }) => entry.file.name === "cpu.cfs_period_us");
      const causeOfStep = (difference: Difference): Cause => (period && difference.entry.knob === "cpu.max" ? why(period) : why(difference));
      for (const step of steps(withPeriodDetour(wanted, quotaNow(table, cgroup, seen))))
        writes.push({ path, hierarchy, owner, cause: causeOfStep(step.difference), step });
    }
  }
  return { actions: inOrder(writes).map(asAction), reported };
}

/** A new v1 directory copies some values from its parent, as that is now. */
function parentValue({ observed }: Inputs, hierarchy: string, table: readonly FileEntry[], path: string, file: string): string | undefined {
  if (file !== "memory.swappiness") return undefined;
  for (let above = path; above !== ""; ) {
    above = above.slice(0, Math.max(above.lastIndexOf("/"), 0));
    const seen = observed.cgroups.get(hierarchy)?.get(above as CgroupPath);
    if (seen) return scalarOf(table, seen.texts, file);
  }
  return observed.machine.inherited.get(file);
}

/** v1's quota as it is, for when only the period changes. */
function quotaNow(table: readonly FileEntry[], cgroup: DesiredCgroup, seen: Parameters<typeof compare>[2]): Difference | undefined {
  const entry = table.find(({ file }) => file.name === "cpu.cfs_quota_us");
  const value = entry && seen && scalarOf(table, seen.texts, entry.file.name);
  if (!entry || value === undefined) return undefined;
  return { entry, key: "", from: value, to: value, declared: cgroup.settings.has(entry.file.name) };
}

function unsupported(owner: Resource | undefined, knob: string, file: string, needs: string): Problem {
  const pointer = pointerOf(knob);
  const place = owner ? locate(owner.origin, pointer, "key") : { file, line: 0, column: 0 };
  return {
    reason: "KnobUnsupported",
    pointer,
    message: `this kernel has no ${file}`,
    ...place,
    ...(owner ? { object: owner.key } : {}),
    ...(needs ? { hint: `needs ${needs}` } : {}),
  };
}

/**
 * cgroup v2 takes a memory.max below what is in use and kills until it fits (kernel.md, fact 7): that is never done by
 * mistake. v1 refuses such a write by itself.
 */
function shrinkBlocked(owner: Resource | undefined, path: CgroupPath, { entry, to }: Difference, { observed }: Inputs): Problem | undefined {
  if (!owner || entry.file.name !== "memory.max" || to === "max" || owner.annotations[FORCE_ANNOTATION] === "true") return undefined;
  const current = observed.memoryCurrent(path);
  if (current === undefined || current <= Number(to)) return undefined;
  const pointer = pointerOf(entry.knob);
  return {
    reason: "Blocked",
    object: owner.key,
    pointer,
    message: `memory.max ${formatBytes(to)} is below the ${Math.ceil(current / 1048576)}Mi in use: the kernel would kill processes`,
    hint: `wait, free memory, or annotate ${FORCE_ANNOTATION}: "true"`,
    ...locate(owner.origin, pointer, "key"),
  };
}
