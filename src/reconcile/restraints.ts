/** Knows what keeps Holdfast from writing all that is declared at once: somebody who writes something else, memory that does not fit, and limits under which processes were killed. */
import type { Event } from "../api/status.ts";
import { ownerOf } from "../cgroup/owner.ts";
import { type CgroupPath, isForeign } from "../cgroup/path.ts";
import type { Host } from "../host/host.ts";
import type { ActionOf } from "../plan/action.ts";
import type { Inputs, Plan } from "../plan/decision.ts";
import { noteShrinks } from "../plan/shrink.ts";
import type { Outcome } from "./apply.ts";
import { Bakes, type Reverted } from "./bakes.ts";
import { Contention, type Suspects } from "./contention.ts";
import { Kills } from "./kills.ts";

/** Whoever the kernel saw writing; and whose cgroup it is. */
function suspectsOn({ writers, tree, base }: Host): Suspects {
  const fileOf = ({ hierarchy, path, file }: ActionOf<"write">): string | undefined => {
    const found = base.controllers.all.find(({ id }) => id === hierarchy);
    return found && `${tree.directory(found, path)}/${file}`;
  };
  return {
    watch: (action) => {
      const file = fileOf(action);
      if (file !== undefined) writers.watch(file);
    },
    nameOf: (action) => {
      const file = fileOf(action);
      const seen = file === undefined ? undefined : writers.lastOf(file);
      const owner = isForeign(action.path) ? ownerOf(action.path, base.systemd) : undefined;
      const likely = owner && owner.kind !== "unknown" ? `${owner.words}, probably,` : undefined;
      return seen ?? likely;
    },
    forget: (action) => {
      const file = fileOf(action);
      if (file !== undefined) writers.forget(file);
    },
  };
}

export class Restraints {
  readonly contention: Contention;
  readonly bakes: Bakes;
  /** Cgroups whose memory.max does not fit, since when. */
  private readonly shrinks = new Map<CgroupPath, number>();
  readonly kills = new Kills();

  constructor(host: Host, reverted: readonly Reverted[], tell: (event: Omit<Event, "eventTime">) => void) {
    this.contention = new Contention(tell, suspectsOn(host));
    this.bakes = new Bakes(reverted);
  }

  get inputs(): Pick<Inputs, "contended" | "shrinks" | "bakes" | "kills"> {
    return { contended: this.contention.waits, shrinks: this.shrinks, bakes: this.bakes.watched, kills: this.kills.seen };
  }

  /** Takes what a plan has found and what came of it. */
  note(decided: Plan, outcomes: readonly Outcome[], scope: ReadonlySet<CgroupPath> | undefined): void {
    this.contention.note(outcomes);
    this.bakes.note(decided, outcomes, Date.now());
    noteShrinks(this.shrinks, decided, scope, Date.now());
  }
}
