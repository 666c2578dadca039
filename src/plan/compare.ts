/** Knows how one cgroup's kernel files differ from what is desired, in the files' own units. */
import type { FileValue } from "../cgroup/kernelFile.ts";
import { type FileEntry, positionsIn } from "../cgroup/machine.ts";
import type { Change } from "../cgroup/order.ts";
import type { DesiredCgroup } from "./desired.ts";
import type { ObservedCgroup } from "./observed.ts";

/** One value that is not what it should be. */
export interface Difference extends Change {
  readonly knob: FileEntry["knob"];
  readonly key: string;
  readonly declared: boolean;
}

/** What was found in one directory: differences, and declared files that this kernel does not have. */
export interface Comparison {
  readonly differences: readonly Difference[];
  readonly missing: readonly FileEntry[];
}

const NOTHING: Comparison = { differences: [], missing: [] };

/** The value of a file with one value; undefined when the file is not there. */
export function scalarOf(table: readonly FileEntry[], texts: readonly (string | undefined)[], name: string): FileValue | undefined {
  const position = positionsIn(table).get(name) ?? -1;
  const text = texts[position];
  return text === undefined ? undefined : table[position]?.file.entries(text)[0]?.[1];
}

/**
 * Compares a directory with what is desired of it. `observed` undefined: the directory is about to be made, and every
 * file of it will be at the kernel's default (or at `inherited`, for files that a child copies from its parent).
 */
export function compare(
  table: readonly FileEntry[],
  desired: DesiredCgroup,
  observed: ObservedCgroup | undefined,
  inherited: (file: string) => FileValue | undefined,
): Comparison {
  if (!observed) return compareNew(table, desired, inherited);
  // The root cgroup's own limits belong to whoever made it; only what it must hand down (v1 cpusets) is looked after.
  const wholeTable = desired.owner !== undefined && !desired.governed;
  let differences: Difference[] | undefined;
  let missing: FileEntry[] | undefined;
  for (let index = 0; index < table.length; index++) {
    const entry = table[index] as FileEntry;
    const { file } = entry;
    const settings = desired.settings.get(file.name);
    if (!wholeTable && !settings) continue;
    const enabled = !observed.controllers || entry.controller === "" || observed.controllers.has(entry.controller);
    if (!enabled && !settings) continue;
    const text = observed.texts[index];
    if (!enabled && desired.governed) {
      // Whoever made the cgroup hands controllers down to it, or does not.
      missing ??= [];
      missing.push(entry);
      continue;
    }
    if (text === undefined) {
      if (settings && enabled) {
        missing ??= [];
        missing.push(entry);
        continue;
      }
      if (!settings) continue;
    }
    if (isHeld(entry, desired)) continue;
    const held = file.heldBy !== undefined && scalarOf(table, observed.texts, file.heldBy) === "1";
    const seen = text === undefined ? [["", file.initial("")] as const] : file.entries(text);
    const known = text === undefined && settings && !settings.has("") ? [] : seen;
    for (const [key, value] of known) {
      const setting = settings?.get(key);
      const from = held ? file.initial(key) : value;
      const to = setting?.value ?? unset(entry, key, observed, from);
      if (from === to || file.settle(from, 1) === to) continue;
      differences ??= [];
      differences.push({ file, knob: entry.knob, key, from, to, declared: setting !== undefined });
    }
    if (!settings) continue;
    for (const [key, setting] of settings) {
      if (known.some(([there]) => there === key)) continue;
      const from = file.initial(key);
      if (from === setting.value) continue;
      differences ??= [];
      differences.push({ file, knob: entry.knob, key, from, to: setting.value, declared: true });
    }
  }
  return differences || missing ? { differences: differences ?? [], missing: missing ?? [] } : NOTHING;
}

/** Only what is declared, or must be inherited, can differ in a directory that is about to be made. */
function compareNew(table: readonly FileEntry[], desired: DesiredCgroup, inherited: (file: string) => FileValue | undefined): Comparison {
  const differences: Difference[] = [];
  for (const entry of table) {
    const { file, knob } = entry;
    const settings = desired.settings.get(file.name);
    if (!settings || isHeld(entry, desired)) continue;
    for (const { key, value: to } of settings.values()) {
      const from = (key === "" ? inherited(file.name) : undefined) ?? file.initial(key);
      if (from !== to && file.settle(from, 1) !== to) differences.push({ file, knob, key, from, to, declared: true });
    }
  }
  return differences.length > 0 ? { differences, missing: [] } : NOTHING;
}

/** Whether another file is declared so that this one is the kernel's own business. */
function isHeld({ file }: FileEntry, { settings }: DesiredCgroup): boolean {
  return file.heldBy !== undefined && settings.get(file.heldBy)?.get("")?.value === "1";
}

/** What an undeclared value should be: the default; but v2 refuses to clear a populated cpuset, and all of the parent's is as good. */
function unset({ file }: FileEntry, key: string, observed: ObservedCgroup, from: FileValue): FileValue {
  const effective = observed.parentEffective?.[file.name];
  if (effective !== undefined && from !== "") return effective;
  return file.initial(key);
}
