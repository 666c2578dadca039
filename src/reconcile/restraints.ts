/** Knows what keeps Holdfast from writing all that is declared at once: somebody who writes something else, memory that does not fit, and limits under which processes were killed. */
import type { Event } from "../api/status.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Inputs, Plan } from "../plan/decision.ts";
import { noteShrinks } from "../plan/shrink.ts";
import type { Outcome } from "./apply.ts";
import { Bakes, type Reverted } from "./bakes.ts";
import { Contention } from "./contention.ts";

export class Restraints {
  readonly contention: Contention;
  readonly bakes: Bakes;
  /** Cgroups whose memory.max does not fit, since when. */
  private readonly shrinks = new Map<CgroupPath, number>();

  constructor(reverted: readonly Reverted[], tell: (event: Omit<Event, "eventTime">) => void) {
    this.contention = new Contention(tell);
    this.bakes = new Bakes(reverted, tell);
  }

  get inputs(): Pick<Inputs, "contended" | "shrinks" | "bakes"> {
    return { contended: this.contention.waits, shrinks: this.shrinks, bakes: this.bakes.watched };
  }

  /** Takes what a plan has found and what came of it. */
  note(decided: Plan, outcomes: readonly Outcome[], scope: ReadonlySet<CgroupPath> | undefined): void {
    this.contention.note(outcomes);
    this.bakes.note(decided, outcomes, Date.now());
    noteShrinks(this.shrinks, decided, scope, Date.now());
  }
}
