/** Knows what becomes of values in cgroups of others that are declared no more: what was found comes back, or the kernel's default, or they stay. */
import { writeText } from "../cgroup/knobs.ts";
import { entryIn } from "../cgroup/machine.ts";
import { ownerOf } from "../cgroup/owner.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Action, ActionOf } from "./action.ts";
import type { Inputs, InScope } from "./decision.ts";
import type { LedgerEntry } from "./ledger.ts";
import { type PlacedWrite, placed } from "./order.ts";
import { unitProperties } from "./unitProperty.ts";

type Governing = NonNullable<ActionOf<"write">["governing"]>;

/**
 * Which one a value was found in: the cgroup that has the path now or, of what is set through systemd, the unit, whose properties outlive its cgroup. Undefined: there is none.
 */
export function identityIn(observed: Inputs["observed"], hierarchy: string, path: CgroupPath, unit: string | undefined): string | undefined {
  return unit === undefined ? observed.identity(hierarchy, path) : `${observed.machine.bootId} ${unit}`;
}

/** By which way a value is written: through systemd where the cgroup is a unit's and there is a property, to the kernel's file elsewhere. */
export function routeOf(
  entry: Pick<LedgerEntry, "knob" | "file">,
  unit: string | undefined,
  value: Parameters<typeof unitProperties>[1] | undefined,
): Pick<Governing, "unit" | "assignments"> {
  return { unit, assignments: unit === undefined || value === undefined ? undefined : unitProperties(entry.knob, value) };
}

/** Nothing while manifests are broken. */
export function restorations(
  { desired, observed }: Inputs,
  inScope: InScope,
): { readonly writes: readonly PlacedWrite[]; readonly settled: readonly Action[] } {
  const writes: PlacedWrite[] = [];
  const settled: Action[] = [];
  if (desired.held) return { writes, settled };
  for (const entry of observed.ledger().values()) {
    const { path, hierarchy, object, policy } = entry;
    if (!inScope(path)) continue;
    const now = desired.cgroups.get(path);
    const settle = (keep: LedgerEntry | undefined, note?: string): void =>
      void settled.push({ type: "ledger", owner: desired.resources.has(object) ? object : undefined, path, entry, keep, note });
    const unit = ownerOf(path, observed.machine.systemd)?.unit;
    const byUnit = unit !== undefined && entry.identity === identityIn(observed, hierarchy, path, unit);
    const there = byUnit || observed.identity(hierarchy, path) === entry.identity;
    if (now?.governed?.untouchable && there) continue;
    const group = now?.owner;
    if (there && now?.governed && now.settings.get(entry.file)?.has(entry.key) && group?.kind === "LimitGroup") {
      const wanted = group.governs?.deletionPolicy ?? policy;
      if (wanted !== policy || group.key !== object) settle({ ...entry, policy: wanted, object: group.key });
      continue;
    }
    const table = observed.machine.tables.get(hierarchy) ?? [];
    const index = table.findIndex(({ file }) => file.name === entry.file);
    const text = observed.cgroups.get(hierarchy)?.get(path)?.texts[index];
    const file = entryIn(table, entry.file)?.file;
    if (!there || !file || (text === undefined && !byUnit)) {
      settle(undefined);
      continue;
    }
    // A unit that is stopped has its properties all the same.
    const from = text === undefined ? entry.written : (file.entries(text).find(([key]) => key === entry.key)?.[1] ?? file.initial(entry.key));
    const to = policy === "Restore" ? entry.found : policy === "Reset" ? file.initial(entry.key) : from;
    if (policy === "Orphan" || from === to) settle(undefined);
    else if (from !== entry.written) settle(undefined, `${entry.knob} of ${path.slice(1)} was changed since by somebody else, and is left as it is`);
    else {
      // What v1's files say is none of systemd's values.
      const governing = { ...routeOf(entry, unit, entry.file === entry.knob ? to : undefined), entry, over: true };
      const action: ActionOf<"write"> = {
        type: "write",
        owner: desired.resources.has(object) ? object : undefined,
        path,
        hierarchy,
        file: entry.file,
        key: entry.key,
        knob: entry.knob,
        from,
        to,
        text: writeText({ file, key: entry.key, value: to }),
        declared: false,
        cause: "pending",
        governing,
      };
      writes.push(placed(action, file.widens(from, to) ? "widen" : "tighten"));
    }
  }
  return { writes, settled };
}
