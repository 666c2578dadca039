/** Knows what replicas were doing when they were looked at last, who was a member of what, and what their probes are to ask. */
import type { ObjectKey } from "../api/resource.ts";
import type { Target } from "../plan/action.ts";
import type { Plan } from "../plan/decision.ts";
import type { Desired } from "../plan/desired.ts";
import type { Membership } from "../plan/members.ts";
import type { ReplicaState } from "../plan/question.ts";

export class Seen {
  readonly states = new Map<string, ReplicaState>();
  /** As of the last look at members. */
  memberships: ReadonlyMap<ObjectKey, Membership> = new Map();
  private readonly targets = new Map<string, Target>();

  /** Takes over what a look has told. What is not desired any more is forgotten when it has ended: until then somebody waits for that. */
  note({ states, targets, memberships }: Plan, { replicas }: Desired): void {
    if (memberships) this.memberships = memberships;
    for (const [id, state] of states) {
      this.states.set(id, state);
      this.targets.delete(id);
    }
    for (const [id, target] of targets) this.targets.set(id, target);
    for (const [id, state] of this.states) if (!replicas.has(id) && !("running" in state)) this.states.delete(id);
    for (const id of this.targets.keys()) if (!replicas.has(id)) this.targets.delete(id);
  }

  /** The main process of a replica. */
  pidOf(replica: string): number | undefined {
    const state = this.states.get(replica);
    return state && "running" in state ? state.running.pid : undefined;
  }

  /** What the probes of a replica are to ask; undefined while there is nothing to ask. */
  targetOf(replica: string): Target | undefined {
    return this.targets.get(replica);
  }
}
