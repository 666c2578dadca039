/** Knows what a workload waits for before it starts, and what waits for it before it ends. */
import type { Dependency, WorkloadResource } from "../api/resource.ts";
import { type Desired, replicaIds } from "./desired.ts";
import { isAlive, isStarted, readySince } from "./health.ts";
import type { Observed } from "./observed.ts";

type Known = Pick<Observed, "record" | "remembered">;

function isMet({ condition }: Dependency, workload: WorkloadResource, { record }: Known): boolean {
  const ids = replicaIds(workload);
  // Nothing of it runs: that all of nothing is ready helps nobody who depends on it.
  return (
    ids.length > 0 &&
    ids.every((id) => {
      const known = record(id);
      if (condition === "Started") return isStarted(known);
      if (condition === "Ready") return readySince(known) !== undefined;
      return known?.last?.reason === "Completed" && !isAlive(known);
    })
  );
}

const WORDS = { Started: "to start", Ready: "to be ready", Completed: "to complete" } as const;

/** `waits for db to be ready`; undefined when nothing is in its way. */
export function unmetDependency({ run }: WorkloadResource, desired: Desired, known: Known): string | undefined {
  for (const dependency of run.dependsOn) {
    const workload = desired.resources.get(`Workload/${dependency.name}`);
    if (workload?.kind === "Workload" && isMet(dependency, workload, known)) continue;
    const none = workload?.kind === "Workload" && workload.run.replicas === 0 ? ", which has replicas: 0" : "";
    return `waits for ${dependency.name} ${WORDS[dependency.condition]}${none}`;
  }
  return undefined;
}

/** Whether a replica that is not declared any more runs and depends on this workload: that one ends first. */
export function hasDependents(workload: string, desired: Desired, { record, remembered }: Known): boolean {
  return remembered().some((id) => {
    const known = record(id);
    return isAlive(known) && known?.current?.dependsOn?.includes(workload) === true && !desired.replicas.has(id);
  });
}
