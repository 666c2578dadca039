/** Knows whether the workloads that others wait for exist. */
import type { Problem } from "../api/problem.ts";
import type { ObjectKey, Resource } from "../api/resource.ts";
import type { Manifests } from "./link.ts";
import { notFound } from "./references.ts";

/**
 * Reports dependencies on nothing; true when there were any. Who depends on a workload that was in force keeps it there;
 * who depends on what never was stays as it was itself, or waits.
 */
export function settleDependencies(
  resources: Map<ObjectKey, Resource>,
  previous: Pick<Manifests, "resources">,
  brokenKeys: Set<string>,
  problems: Problem[],
): boolean {
  let loose = false;
  for (const resource of [...resources.values()]) {
    if (resource.kind !== "Workload") continue;
    for (const [index, { name }] of resource.run.dependsOn.entries()) {
      const key: ObjectKey = `Workload/${name}`;
      if (resources.has(key)) continue;
      loose = true;
      const last = previous.resources.get(key);
      if (last) resources.set(key, last);
      else {
        const before = previous.resources.get(resource.key);
        resources.delete(resource.key);
        // What refers to it in turn need not hear that there is no such workload.
        brokenKeys.add(resource.key);
        if (before?.kind === "Workload" && before.run.dependsOn.every((other) => resources.has(`Workload/${other.name}`))) resources.set(before.key, before);
      }
      if (brokenKeys.has(key)) continue;
      const reference = { to: key, pointer: `/spec/dependsOn/${index}/name` };
      problems.push(notFound(resource.key, reference, resource.origin, resources.keys(), last !== undefined));
      if (!last) break;
    }
  }
  return loose;
}
