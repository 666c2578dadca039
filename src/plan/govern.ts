/** Knows what is desired of cgroups that somebody else has made: the declared limits and nothing else, by the way that their owner's manager has for it. */
import { isMany } from "../api/glob.ts";
import type { Problem, ProblemReason } from "../api/problem.ts";
import { FORCE_ANNOTATION, isForced, type LimitGroupResource, type Resource } from "../api/resource.ts";
import type { Setting } from "../cgroup/knobs.ts";
import type { Machine } from "../cgroup/machine.ts";
import { ownerOf } from "../cgroup/owner.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { lineOf } from "../manifest/locate.ts";
import type { DesiredCgroup } from "./desired.ts";
import { hierarchyIn } from "./draft.ts";
import { type Circumstances, problemOf } from "./problemOf.ts";
import { spellLimits } from "./spell.ts";

const FIELD = "/spec/cgroupPath";

const told = (group: LimitGroupResource, reason: ProblemReason, message: string, more: Circumstances = {}): Problem =>
  problemOf(group, reason, FIELD, message, { ...more, at: "value" });

/** Cgroups of others by path; where two objects want one, neither has it, and it is left as it is. */
export function governedCgroups(
  groups: readonly LimitGroupResource[],
  machine: Machine,
): { readonly cgroups: readonly DesiredCgroup[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const wanted = new Map<string, LimitGroupResource[]>();
  for (const group of groups) {
    const { paths } = group.governs ?? { paths: "" };
    if (machine.noGoverning !== undefined) {
      problems.push(told(group, "GovernRefused", machine.noGoverning));
      continue;
    }
    const { paths: found, own } = machine.governed.get(paths) ?? { paths: [], own: [] };
    const [root] = own;
    if (root !== undefined)
      problems.push(
        told(group, "GovernRefused", `${root.slice(1)} is a root of Holdfast's`, { hint: "its cgroups have the limits of the objects that declare them" }),
      );
    else if (found.length === 0 && !isMany(paths))
      problems.push(told(group, "CgroupNotFound", `there is no cgroup ${paths.slice(1)} now`, { hint: "its limits are written when it comes" }));
    for (const path of found) wanted.set(path, [...(wanted.get(path) ?? []), group]);
  }
  const spelled = new Map(groups.map((group) => [group, spellLimits(group, asOffered(machine))]));
  for (const { problems: more } of spelled.values()) problems.push(...more);
  const cgroups: DesiredCgroup[] = [];
  for (const [path, objects] of wanted) {
    const [group] = objects;
    if (!group) continue;
    problems.push(...conflicts(path, objects));
    const owner = ownerOf(path, machine.systemd);
    const refused = owner?.kind === "kubelet" && !isForced(group);
    if (refused)
      problems.push(
        told(group, "GovernRefused", `${path.slice(1)} is the kubelet's, which writes its own limits again and again`, {
          hint: `annotate ${FORCE_ANNOTATION}: "true" to write there all the same`,
          cgroup: path,
        }),
      );
    const { needs = new Set<string>(), settings = [] } = spelled.get(group) ?? {};
    const untouchable = refused || objects.length > 1;
    cgroups.push({
      path: path as CgroupPath,
      owner: group,
      hierarchies: new Set([...needs].map(hierarchyIn)),
      enable: new Set(),
      settings: untouchable ? new Map() : byFile(settings),
      frozen: false,
      governed: { unit: owner?.unit, owner, untouchable },
    });
  }
  return { cgroups, problems };
}

/** What can be told without a machine: two objects that name the very same cgroup. */
export function namedTwice(resources: Iterable<Resource>): Problem[] {
  const wanted = new Map<string, LimitGroupResource[]>();
  for (const resource of resources)
    if (resource.kind === "LimitGroup" && resource.governs && !isMany(resource.governs.paths))
      wanted.set(resource.governs.paths, [...(wanted.get(resource.governs.paths) ?? []), resource]);
  return [...wanted].flatMap(([path, objects]) => conflicts(path, objects));
}

function conflicts(path: string, objects: readonly LimitGroupResource[]): Problem[] {
  if (objects.length < 2) return [];
  return objects.map((group) => {
    const others = objects.filter((other) => other !== group).map((other) => `${other.key} (${lineOf(other.origin, FIELD)})`);
    const hint = "until one of them lets go, nothing is written there";
    return told(group, "Conflict", `${path.slice(1)} is governed by ${others.join(" and ")} as well`, { hint, cgroup: path });
  });
}

function byFile(settings: readonly Setting[]): DesiredCgroup["settings"] {
  const files = new Map<string, Map<string, Setting>>();
  for (const setting of settings) files.set(setting.file.name, (files.get(setting.file.name) ?? new Map<string, Setting>()).set(setting.key, setting));
  return files;
}

const offered = new WeakMap<Machine, Machine>();

/** What Holdfast's own root is handed down makes no difference elsewhere. */
function asOffered(machine: Machine): Machine {
  const { controllers } = machine;
  const known = offered.get(machine) ?? {
    ...machine,
    controllers: { ...controllers, all: controllers.all.map((hierarchy) => ({ ...hierarchy, controllers: hierarchy.offered })) },
  };
  offered.set(machine, known);
  return known;
}
