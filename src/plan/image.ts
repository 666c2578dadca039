/** Knows what an image must go through before anything is started from it: unpacked once, for all that want it; refused with a reason. */
import type { Problem } from "../api/problem.ts";
import type { ObjectKey } from "../api/resource.ts";
import { type WantedImage, wantedImage } from "../oci/image.ts";
import type { Action } from "./action.ts";
import type { Desired, DesiredReplica } from "./desired.ts";
import type { Observed } from "./observed.ts";
import { problemOf } from "./problemOf.ts";

/** Between two tries of an image that was refused, ms: somebody may put the right one there. */
const AGAIN = 30_000;
/** How the keys of tasks begin that unpack images. */
export const IMAGES = "image/";
/** How often to look whether it is unpacked, ms. */
const LOOK = 200;

/** All images that something is to be started from; one that several replicas share stands there for each. */
export const wantedImages = ({ replicas }: Pick<Desired, "replicas">): WantedImage[] =>
  [...replicas.values()].flatMap(({ container }) => (container && wantedImage(container.confinement)) ?? []);

/** Why a replica cannot be started yet. */
export interface Unready {
  readonly obstacle: string;
  readonly wakeAt: number;
}

/** The images of one plan. */
export class ImageNeeds {
  private readonly begun = new Set<string>();
  private readonly told = new Set<ObjectKey>();
  private readonly observed: Pick<Observed, "image" | "task">;
  private readonly actions: Action[];
  private readonly problems: Problem[];
  private readonly now: number;

  constructor(observed: Pick<Observed, "image" | "task">, actions: Action[], problems: Problem[], now: number) {
    this.observed = observed;
    this.actions = actions;
    this.problems = problems;
    this.now = now;
  }

  /** Undefined: it needs no image, or has it. */
  of({ id, path, container, resource }: DesiredReplica): Unready | undefined {
    const wanted = container && wantedImage(container.confinement);
    if (!wanted) return undefined;
    const { key, ready, refused } = this.observed.image(wanted);
    if (ready) return undefined;
    const task = `${IMAGES}${key}`;
    const atWork = this.observed.task(task) === "running";
    if (refused && !atWork && this.now < refused.at + AGAIN) {
      const message = `its image is refused: ${refused.message}`;
      if (!this.told.has(resource.key)) this.problems.push(problemOf(resource, "ImageRefused", "/spec/image", message, { cgroup: path }));
      this.told.add(resource.key);
      return { obstacle: message, wakeAt: refused.at + AGAIN };
    }
    if (!atWork && !this.begun.has(task)) {
      this.begun.add(task);
      this.actions.push({ type: "unpack", owner: resource.key, path, replica: id, key: task, wanted });
    }
    return { obstacle: "its image is being verified and unpacked", wakeAt: this.now + LOOK };
  }
}
