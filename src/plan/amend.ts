/** Knows the short way from an edit to what is desired: when only values changed, only the edited cgroups are worked out again. */
import type { Resource } from "../api/resource.ts";
import type { Setting } from "../cgroup/knobs.ts";
import { entryIn, type Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Edit, Manifests } from "../manifest/link.ts";
import type { Desired, DesiredCgroup } from "./desired.ts";
import { same } from "./same.ts";
import { spellLimits } from "./spell.ts";

interface Amended {
  readonly desired: Desired;
  readonly cgroups: readonly DesiredCgroup[];
  /** The files of which the settings changed, by cgroup and hierarchy. */
  readonly touched: ReadonlyMap<CgroupPath, ReadonlyMap<string, ReadonlySet<string>>>;
}

/**
 * What is desired after an edit of LimitGroups' values, equal to what desire() would say; undefined, and nothing done, when
 * the edit reaches further: other hierarchies or devices, problems, values that children inherit, a workload's process. The
 * new cgroups stand in `desired` then: a copy of thousands would take longer than all the rest.
 */
export function amendDesired(desired: Desired, manifests: Manifests, edits: readonly Edit[], machine: Machine): Amended | undefined {
  if (desired.problems.length > 0 || desired.held) return undefined;
  const amended: DesiredCgroup[] = [];
  const touched = new Map<CgroupPath, ReadonlyMap<string, ReadonlySet<string>>>();
  for (const { before: old, after: resource } of edits) {
    if (resource.kind !== "LimitGroup" || old.kind !== "LimitGroup" || old.frozen || resource.frozen) return undefined;
    if (old.governs || resource.governs) return undefined;
    if (old.members.length > 0 || resource.members.length > 0) return undefined;
    const [was, is] = [spellLimits(old, machine), spellLimits(resource, machine)];
    const inherits = [...was.settings, ...is.settings].some(({ file }) => machine.inherited.has(file.name));
    if (inherits || resource.limits["io.max"] || old.limits["io.max"] || is.problems.length > 0 || !same([...was.needs].sort(), [...is.needs].sort()))
      return undefined;
    const path = pathOf(resource, manifests);
    const cgroup = desired.cgroups.get(path);
    if (!cgroup) return undefined;
    const settings = new Map([...cgroup.settings].filter(([file]) => machine.inherited.has(file)));
    for (const setting of is.settings) settings.set(setting.file.name, new Map<string, Setting>(settings.get(setting.file.name)).set(setting.key, setting));
    amended.push({ ...cgroup, owner: resource, settings });
    touched.set(path, changedFiles(was.settings, is.settings, machine));
  }
  const cgroups = desired.cgroups as Map<CgroupPath, DesiredCgroup>;
  for (const cgroup of amended) cgroups.set(cgroup.path, cgroup);
  return { desired: { ...desired, resources: manifests.resources }, cgroups: amended, touched };
}

/** Files of each hierarchy that shall have another value than before. */
function changedFiles(was: readonly Setting[], is: readonly Setting[], { tables }: Machine): ReadonlyMap<string, ReadonlySet<string>> {
  const lacks =
    (others: readonly Setting[]) =>
    ({ file, key, value }: Setting): boolean =>
      !others.some((other) => other.file === file && other.key === key && other.value === value);
  const names = [...was.filter(lacks(is)), ...is.filter(lacks(was))].map(({ file }) => file.name);
  return new Map([...tables].map(([id, table]) => [id, new Set(names.filter((name) => entryIn(table, name)))]));
}

function pathOf(resource: Resource, { resources }: Manifests): CgroupPath {
  const parent = resource.parent === undefined ? undefined : resources.get(`LimitGroup/${resource.parent}`);
  return (parent ? `${pathOf(parent, { resources, problems: [], held: false })}/${resource.name}` : resource.name) as CgroupPath;
}
