/** Knows what to ask about each replica that is declared or found: what its workload, and those it depends on, have to say to it. */
import type { Problem } from "../api/problem.ts";
import type { ObjectKey, WorkloadResource } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Action, Target } from "./action.ts";
import type { Inputs, InScope } from "./decision.ts";
import { hasDependents, unmetDependency } from "./depend.ts";
import { type DesiredReplica, replicasOf } from "./desired.ts";
import { ImageNeeds } from "./image.ts";
import { problemOf } from "./problemOf.ts";
import { earliest, type ReplicaState } from "./question.ts";
import { decide } from "./replica.ts";
import { type Rollout, rolloutOf } from "./rollout.ts";

interface Lives {
  readonly actions: Action[];
  readonly states: ReadonlyMap<string, ReplicaState>;
  readonly targets: ReadonlyMap<string, Target>;
  /** Cgroups that processes still live in. */
  readonly busy: ReadonlySet<CgroupPath>;
  readonly wakes: ReadonlyMap<CgroupPath, number>;
}

export function replicas(inputs: Inputs, inScope: InScope, absent: ReadonlySet<string>, problems: Problem[]): Lives {
  const { desired, observed, now, scope, findings, restartAfter } = inputs;
  const actions: Action[] = [];
  const states = new Map<string, ReplicaState>();
  const targets = new Map<string, Target>();
  const busy = new Set<CgroupPath>();
  const wakes = new Map<CgroupPath, number>();
  const rollouts = new Map<string, Rollout>();
  const images = new ImageNeeds(observed, actions, problems, now);
  // What was asked for in a future that the clock has been set back from would be asked for again and again.
  const restartOf = (workload: string): number | undefined => {
    const asked = restartAfter?.get(workload);
    return asked !== undefined && asked <= now ? asked : undefined;
  };
  const rollout = (resource: WorkloadResource): Rollout => {
    const known = rollouts.get(resource.name) ?? rolloutOf(replicasOf(desired, resource), resource.run, observed.record, restartOf(resource.name), now);
    rollouts.set(resource.name, known);
    return known;
  };
  // A look at some cgroups has seen their replicas, and no others.
  for (const id of scope ? observed.replicas.keys() : new Set([...desired.replicas.keys(), ...observed.replicas.keys()])) {
    const wanted = desired.replicas.get(id);
    const seen = observed.replicas.get(id);
    for (const [path, pids] of seen?.members ?? []) if (pids.length > 0) busy.add(path);
    for (const { meta, main } of seen?.attempts ?? []) if (meta && main && !main.exited) busy.add(meta.path as CgroupPath);
    if (!wanted && desired.held) continue; // a broken manifest never looks like a deleted one
    const paths = [
      ...(wanted ? [wanted.path] : []),
      ...(seen?.members.keys() ?? []),
      ...(seen?.attempts.flatMap(({ meta }) => (meta ? [meta.path as CgroupPath] : [])) ?? []),
    ];
    if (paths.length > 0 && !paths.some(inScope)) continue;
    const workload = id.slice(0, id.lastIndexOf("@"));
    const owner: ObjectKey = wanted?.resource.key ?? `Workload/${workload}`;
    const cgroup = wanted && desired.cgroups.get(wanted.path);
    const hierarchies = cgroup?.hierarchies ?? new Set<string>();
    const lacking = wanted && [...hierarchies].find((hierarchy) => absent.has(`${hierarchy}:${wanted.path}`));
    const roll = wanted && rollout(wanted.resource);
    const unready = wanted?.obstacle === undefined && wanted ? images.of(wanted) : undefined;
    const decision = decide({
      id,
      obstacle: wanted?.obstacle ?? unready?.obstacle ?? (lacking && `its cgroup is missing in ${lacking}, and drift is only reported`),
      desired: wanted,
      observed: seen,
      owner,
      frozen: cgroup?.frozen ?? false,
      hierarchies,
      unmet: wanted && unmetDependency(wanted.resource, desired, observed),
      dependents: !wanted && hasDependents(workload, desired, observed),
      mayReplace: roll?.replace.has(id) ?? true,
      restartAfter: restartOf(workload),
      findings: findings?.get(id),
      task: observed.task,
      oomKills: observed.oomKills,
      isDoomed: observed.isDoomed,
      now,
    });
    actions.push(...decision.actions);
    states.set(id, decision.state);
    if (decision.target) targets.set(id, decision.target);
    const [path] = paths;
    const rolls = roll && (roll.outdated.includes(id) || roll.unproven.includes(id));
    const wakeAt = earliest([decision.wakeAt, unready?.wakeAt, rolls ? roll.wakeAt : undefined]);
    if (path !== undefined && wakeAt !== undefined) wakes.set(path, wakeAt);
    if (wanted && roll?.failed && !cgroup?.frozen && !isHeld(decision.state) && (roll.outdated[0] ?? roll.unproven[0]) === id)
      problems.push(failedRollout(wanted, roll));
  }
  return { actions, states, targets, busy, wakes };
}

/** Reasons to wait that say more than that it is not available. */
const HELD: ReadonlySet<string> = new Set(["RestartLimitExceeded", "StartBlocked", "Frozen", "DependencyNotMet"]);

const isHeld = (state: ReplicaState): boolean => "waiting" in state && HELD.has(state.waiting.reason);

function failedRollout({ resource, path }: DesiredReplica, { updated, outdated, available }: Rollout): Problem {
  const { replicas, strategy } = resource.run;
  const left = outdated.length > 0;
  const message = left
    ? `the new revision does not become available: ${updated} of ${replicas} replicas run it; ${outdated.length} still run as before, and stay`
    : `it does not become available: ${available} of ${replicas} replicas are, after ${strategy.progressDeadlineSeconds}s; they are tried on`;
  const hint = `holdfast logs ${resource.name} tells more${left ? "; the rollout goes on when the new replicas are available, or with the next revision" : ""}`;
  return problemOf(resource, "ProgressDeadlineExceeded", "/spec/strategy/progressDeadlineSeconds", message, { cgroup: path, hint, at: "value" });
}
