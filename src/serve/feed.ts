/** Knows how the served objects follow the engine: what a pass was about is worked out anew a moment later, a few objects at a time, so that no pass waits for it. */
import { arch, cpus, release, totalmem } from "node:os";
import type { ObjectKey } from "../api/resource.ts";
import type { Event } from "../api/status.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { sumOf, type Usage } from "../cgroup/usage.ts";
import { nameLineOf } from "../manifest/locate.ts";
import type { Plan } from "../plan/decision.ts";
import { type Desired, pathsByOwner } from "../plan/desired.ts";
import type { Outcome } from "../reconcile/apply.ts";
import type { Engine } from "../reconcile/engine.ts";
import { KEPT_EVENTS } from "../reconcile/teller.ts";
import { viewOf } from "../reconcile/view.ts";
import { Collection, keyOf, Versions } from "./collection.ts";
import { EVENTS, LIMIT_GROUPS, NAMESPACES, NODES, OWN, PODS, SERVED, type ServedKind, WORKLOADS } from "./kinds.ts";
import { eventOf, namespaceOf, nodeOf, objectOf, type Place, podsOf } from "./mirror.ts";
import { objectKeyOf, type Served } from "./object.ts";

/** So long after a pass, ms; and so many objects at a time. */
const [SOON, AT_ONCE] = [20, 25];

/** How usage is known: as of a moment ago; as of the last sample; or read now, all there is to tell. */
export type How = "fresh" | "sampled" | "closely";
export type UsageOf = (path: CgroupPath, how: How) => Usage | undefined;

const ownKind = (kind: string): ServedKind => (kind === "Workload" ? WORKLOADS : LIMIT_GROUPS);

export class Feed {
  private readonly collections: ReadonlyMap<ServedKind, Collection>;
  readonly place: Place;
  private readonly engine: () => Engine;
  private readonly usage: UsageOf;
  private readonly warn: (message: string) => void;
  private readonly dirty = new Set<ObjectKey>();
  private readonly pods = new Map<ObjectKey, readonly string[]>();
  private readonly eventKeys: string[] = [];
  private readonly hearers = new Set<(event: Event) => void>();
  private everything = true;
  /** What was declared when that was looked at last. */
  private declared: Desired["resources"] | undefined;
  private told = 0;
  private timer: NodeJS.Timeout | undefined;

  /** `engine`: asked when it is there. */
  constructor(place: Place, engine: () => Engine, usage: UsageOf, warn: (message: string) => void) {
    this.warn = warn;
    this.place = place;
    this.engine = engine;
    this.usage = usage;
    const versions = new Versions();
    this.collections = new Map(SERVED.map((kind) => [kind, new Collection(versions)]));
    const now = new Date().toISOString();
    const capacity = { cpus: cpus().length, memory: totalmem(), kernel: release(), architecture: arch() };
    this.of(NODES).put(nodeOf(place, capacity, now));
    this.of(NAMESPACES).put(namespaceOf(place, now));
  }

  of(kind: ServedKind): Collection {
    const found = this.collections.get(kind);
    if (!found) throw new Error(`${kind.kind} is not served`);
    return found;
  }

  /** The engine's hook: what a look was about. */
  readonly noted = (decided: Plan, outcomes: readonly Outcome[], scope: ReadonlySet<CgroupPath> | undefined): void => {
    if (!scope) this.everything = true;
    else {
      const { cgroups } = this.engine().desired;
      for (const path of scope) {
        const key = cgroups.get(path)?.owner?.key;
        if (key !== undefined) this.dirty.add(key);
      }
      for (const { action } of outcomes) if (action.owner) this.dirty.add(action.owner);
      for (const { object } of decided.problems) if (object !== undefined && object !== "Host") this.dirty.add(object as ObjectKey);
      for (const key of decided.memberships?.keys() ?? []) this.dirty.add(key);
    }
    this.soon(SOON);
  };

  /** Nothing that is told of a pass may end the controller. */
  private soon(delay: number): void {
    this.timer ??= setTimeout(() => {
      try {
        this.follow();
      } catch (error) {
        this.warn(`what is served could not follow: ${(error as Error).stack}`);
      }
    }, delay);
  }

  /** The engine's events, one after the other. */
  readonly event = (event: Event): void => {
    const served = eventOf(event, this.told++, this.place);
    const events = this.of(EVENTS);
    events.put(served);
    this.eventKeys.push(keyOf(served.metadata));
    for (; this.eventKeys.length > KEPT_EVENTS; ) events.remove(this.eventKeys.shift() ?? "");
    for (const hear of this.hearers) hear(event);
    // What it is about may be other than it was: a probe's finding, a request.
    if (event.object !== "Host") this.dirty.add(event.object);
    this.soon(SOON);
  };

  find(key: ObjectKey): Served | undefined {
    const slash = key.indexOf("/");
    return this.of(ownKind(key.slice(0, slash))).get(key.slice(slash + 1))?.object;
  }

  /** All objects of Holdfast's own kinds. */
  own(): Served[] {
    return OWN.flatMap((kind) => [...this.of(kind).all()].map(({ object }) => object));
  }

  /** All objects of Holdfast's own kinds, and its events, as the command line shows them. */
  state(): { readonly objects: readonly Served[]; readonly events: readonly Event[] } {
    while (this.everything || this.dirty.size > 0) this.follow();
    const objects = this.own().map((object): Served => {
      const { resourceVersion: _, ...metadata } = object.metadata;
      return { ...object, metadata };
    });
    const order = new Map([...this.engine().desired.resources.keys()].map((key, index) => [key, index]));
    const placeOf = (object: Served): number => order.get(objectKeyOf(object)) ?? order.size;
    return { objects: objects.sort((a, b) => placeOf(a) - placeOf(b)), events: this.engine().teller.events.slice(-KEPT_EVENTS) };
  }

  /** Tells of every event from now on; returns how to end that. */
  hear(hear: (event: Event) => void): () => void {
    this.hearers.add(hear);
    return () => void this.hearers.delete(hear);
  }

  /** What all cgroups of an object use together. */
  usageOf(object: Served, how: How): Usage | undefined {
    const all = this.pathsOf(objectKeyOf(object)).flatMap((path) => this.usage(path, how) ?? []);
    return all.length > 0 ? sumOf(all) : undefined;
  }

  /** The cgroups of an object. */
  pathsOf(key: ObjectKey): readonly CgroupPath[] {
    return pathsByOwner(this.engine().desired).get(key) ?? [];
  }

  /** Takes all that is to be taken, at once: for one who asks now, where it is little. */
  settle(): void {
    if (!this.everything && this.dirty.size > 0 && this.dirty.size <= AT_ONCE) this.follow();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private follow(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { desired } = this.engine();
    if (desired.resources !== this.declared) {
      this.declared = desired.resources;
      for (const object of this.own()) if (!desired.resources.has(objectKeyOf(object))) this.forget(object);
      for (const key of desired.resources.keys()) if (!this.find(key)) this.dirty.add(key);
    }
    if (this.everything) for (const key of desired.resources.keys()) this.dirty.add(key);
    this.everything = false;
    const some = [...this.dirty].slice(0, AT_ONCE);
    for (const key of some) this.dirty.delete(key);
    for (const [key, remembered] of this.engine().statusOf(some)) {
      const resource = desired.resources.get(key);
      const [view] = resource ? viewOf(resource, remembered) : [];
      if (!resource || !view) continue;
      const object = objectOf(view, nameLineOf(resource.origin), this.place);
      this.of(ownKind(resource.kind)).put(object);
      if (resource.kind === "Workload") this.putPods(key, podsOf(object, resource, this.place));
    }
    for (const key of some) if (!desired.resources.has(key)) this.forget(this.find(key));
    if (this.dirty.size > 0) this.soon(1);
  }

  private putPods(key: ObjectKey, pods: readonly Served[]): void {
    const collection = this.of(PODS);
    const names = pods.map(({ metadata }) => keyOf(metadata));
    for (const name of this.pods.get(key) ?? []) if (!names.includes(name)) collection.remove(name);
    for (const pod of pods) collection.put(pod);
    this.pods.set(key, names);
  }

  private forget(object: Served | undefined): void {
    if (!object) return;
    const key = objectKeyOf(object);
    if (object.kind === "Workload") {
      this.putPods(key, []);
      this.pods.delete(key);
    }
    this.of(ownKind(object.kind)).remove(object.metadata.name);
  }
}
