/** Knows the objects of one kind as the API has them: each with the version of its last change, and the latest changes for those who watch. */
import type { Meta, Served } from "./object.ts";

/** An object, and its JSON. */
export interface Item {
  readonly object: Served;
  readonly text: string;
  readonly version: number;
}

export interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly item: Item;
  /** As it was. */
  readonly before: Item | undefined;
  readonly version: number;
}

/** Versions rise over all collections, and over restarts too: they begin with the time, in milliseconds. */
export class Versions {
  private last = Date.now();

  next(): number {
    this.last++;
    return this.last;
  }

  get current(): number {
    return this.last;
  }
}

/** Changes that are kept for those who come back. */
const KEPT = 1000;
const NO_VERSION = '"resourceVersion":""';

export const keyOf = ({ name, namespace }: Pick<Meta, "name" | "namespace">): string => (namespace === undefined ? name : `${namespace}/${name}`);

export class Collection {
  private readonly items = new Map<string, Item>();
  private readonly changes: Change[] = [];
  private readonly hearers = new Set<(change: Change) => void>();
  private readonly versions: Versions;
  /** What was before that is not known any more. */
  private oldest: number;

  constructor(versions: Versions) {
    this.versions = versions;
    this.oldest = versions.current;
  }

  get version(): number {
    return this.versions.current;
  }

  get(key: string): Item | undefined {
    return this.items.get(key);
  }

  all(): IterableIterator<Item> {
    return this.items.values();
  }

  /** Takes an object as it is now; one that is as it was is no change. */
  put(object: Served): void {
    const key = keyOf(object.metadata);
    const before = this.items.get(key);
    const bare = JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: "" } });
    if (before && before.text.length >= bare.length && before.text.replace(`"resourceVersion":"${before.version}"`, NO_VERSION) === bare) return;
    const version = this.versions.next();
    const resourceVersion = String(version);
    const item = {
      object: { ...object, metadata: { ...object.metadata, resourceVersion } },
      text: bare.replace(NO_VERSION, `"resourceVersion":"${resourceVersion}"`),
      version,
    };
    this.items.set(key, item);
    this.tell({ type: before ? "MODIFIED" : "ADDED", item, before, version });
  }

  remove(key: string): void {
    const before = this.items.get(key);
    if (!before) return;
    this.items.delete(key);
    const version = this.versions.next();
    const metadata = { ...before.object.metadata, resourceVersion: String(version) };
    const object = { ...before.object, metadata };
    this.tell({ type: "DELETED", item: { object, text: JSON.stringify(object), version }, before, version });
  }

  /** Changes after a version; undefined: that is too long ago, or was never given. */
  since(version: number): readonly Change[] | undefined {
    if (version < this.oldest || version > this.versions.current) return undefined;
    return this.changes.filter((change) => change.version > version);
  }

  /** Tells of every change from now on; returns how to end that. */
  watch(hear: (change: Change) => void): () => void {
    this.hearers.add(hear);
    return () => void this.hearers.delete(hear);
  }

  private tell(change: Change): void {
    this.changes.push(change);
    if (this.changes.length > 2 * KEPT) {
      const gone = this.changes.splice(0, this.changes.length - KEPT);
      this.oldest = gone.at(-1)?.version ?? this.oldest;
    }
    for (const hear of this.hearers) hear(change);
  }
}
