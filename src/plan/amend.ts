/** Knows the short way from an edit to what is desired: when only values changed, only the edited cgroups are worked out again. */
import type { Resource } from "../api/resource.ts";
import type { Setting } from "../cgroup/knobs.ts";
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Manifests } from "../manifest/link.ts";
import type { Desired, DesiredCgroup } from "./desired.ts";
import { same } from "./same.ts";
import { spellLimits } from "./spell.ts";

/**
 * What is desired after an edit of LimitGroups' values, equal to what desire() would say; undefined when the edit reaches
 * further: other hierarchies or devices, problems, values that children inherit, a workload's process.
 */
export function amendDesired(
  desired: Desired,
  manifests: Manifests,
  changed: readonly Resource[],
  machine: Machine,
): { desired: Desired; cgroups: readonly DesiredCgroup[] } | undefined {
  if (desired.problems.length > 0 || desired.held) return undefined;
  const cgroups = new Map(desired.cgroups);
  const amended: DesiredCgroup[] = [];
  for (const resource of changed) {
    const old = desired.resources.get(resource.key);
    if (resource.kind !== "LimitGroup" || old?.kind !== "LimitGroup" || old.frozen || resource.frozen) return undefined;
    const [was, is] = [spellLimits(old, machine), spellLimits(resource, machine)];
    const inherits = [...was.settings, ...is.settings].some(({ file }) => machine.inherited.has(file.name));
    if (inherits || resource.limits["io.max"] || old.limits["io.max"] || is.problems.length > 0 || !same([...was.needs].sort(), [...is.needs].sort()))
      return undefined;
    const path = pathOf(resource, manifests);
    const cgroup = cgroups.get(path);
    if (!cgroup) return undefined;
    const settings = new Map([...cgroup.settings].filter(([file]) => machine.inherited.has(file)));
    for (const setting of is.settings) settings.set(setting.file.name, new Map<string, Setting>(settings.get(setting.file.name)).set(setting.key, setting));
    const next: DesiredCgroup = { ...cgroup, owner: resource, settings };
    cgroups.set(path, next);
    amended.push(next);
  }
  return { desired: { ...desired, cgroups, resources: manifests.resources }, cgroups: amended };
}

function pathOf(resource: Resource, { resources }: Manifests): CgroupPath {
  const parent = resource.parent === undefined ? undefined : resources.get(`LimitGroup/${resource.parent}`);
  return (parent ? `${pathOf(parent, { resources, problems: [], held: false })}/${resource.name}` : resource.name) as CgroupPath;
}
