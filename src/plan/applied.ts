/** Knows what was last converged, per object: with it, drift (the machine moved) and pending (the manifest changed) are told apart. */
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Cause } from "./action.ts";
import type { DesiredCgroup } from "./desired.ts";

interface AppliedCgroup {
  readonly hierarchies: readonly string[];
  /** v2 controllers that it hands down. */
  readonly enable: readonly string[];
  /** `FILE`, or `FILE KEY`, to the value that was desired. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The cgroups of one object (a workload has one per replica), by path. */
export type AppliedObject = Readonly<Record<string, AppliedCgroup>>;

export type Applied = ReadonlyMap<ObjectKey, AppliedObject>;

const settingName = (file: string, key: string): string => (key === "" ? file : `${file} ${key}`);

/** What will have been applied of these objects once their cgroups are converged. */
export function appliedObjects(keys: Iterable<ObjectKey>, cgroups: Iterable<DesiredCgroup>): Map<ObjectKey, AppliedObject> {
  const objects = new Map<ObjectKey, Record<string, AppliedCgroup>>();
  for (const key of keys) objects.set(key, {});
  for (const { path, owner, hierarchies, enable, settings } of cgroups) {
    const own = owner && objects.get(owner.key);
    if (!own) continue;
    const values: Record<string, string> = {};
    for (const [file, byKey] of settings) for (const [key, { value }] of byKey) values[settingName(file, key)] = value;
    own[path] = { hierarchies: [...hierarchies], enable: [...enable], settings: values };
  }
  return objects;
}

/** What is applied of an object after a pass: the goal where it `stands`, elsewhere what was applied before. */
export function appliedNow(before: AppliedObject | undefined, goal: AppliedObject, stands: (path: string) => boolean): AppliedObject {
  const paths = Object.keys(goal);
  if (paths.every(stands)) return goal;
  return Object.fromEntries(
    paths.flatMap((path) => {
      const now = stands(path) ? goal[path] : before?.[path];
      return now ? [[path, now] as const] : [];
    }),
  );
}

const before = (applied: Applied, owner: Resource | undefined, path: CgroupPath): AppliedCgroup | undefined => owner && applied.get(owner.key)?.[path];

/** Why a value is not what it should be: what should be is what was, so the machine moved; or the manifest did. */
export function causeOf(applied: Applied, { owner, path, settings }: DesiredCgroup, file: string, key: string): Cause {
  const last = before(applied, owner, path);
  return last && last.settings[settingName(file, key)] === settings.get(file)?.get(key)?.value ? "drift" : "pending";
}

/** Why a directory is missing. */
export function causeOfMissing(applied: Applied, owner: Resource | undefined, path: CgroupPath, hierarchy: string): Cause {
  return before(applied, owner, path)?.hierarchies.includes(hierarchy) ? "drift" : "pending";
}

/** Whether a cgroup that was there had no directory in that hierarchy. */
export function isNewIn(applied: Applied, owner: Resource, path: CgroupPath, hierarchy: string): boolean {
  return before(applied, owner, path)?.hierarchies.includes(hierarchy) === false;
}

/** Why controllers are not handed down. */
export function causeOfEnabling(applied: Applied, owner: Resource | undefined, path: CgroupPath, controllers: readonly string[]): Cause {
  const last = before(applied, owner, path)?.enable;
  return last && controllers.every((controller) => last.includes(controller)) ? "drift" : "pending";
}
