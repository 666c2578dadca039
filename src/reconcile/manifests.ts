/** Knows the manifests in force: reads what changed, links all, keeps what was good. */
import type { ObjectKey, Resource } from "../api/resource.ts";

import { amend, type Edit, link, type Manifests, NO_MANIFESTS } from "../manifest/link.ts";
import type { FileContent, ReadFile } from "../manifest/read.ts";
import { readFile } from "../manifest/read.ts";
import { same } from "../plan/same.ts";

/** So few objects may go at once, whatever their share. */
const FEW = 3;

/** What was in force when the last controller ended. */
export interface LastInForce {
  readonly keys: readonly ObjectKey[];
  load(): Manifests;
}

interface KnownFile {
  readonly content: FileContent;
  readonly read: ReadFile;
}

function withoutLingering({ path, documents, problem }: ReadFile): ReadFile {
  return { path, documents, ...(problem ? { problem } : {}) };
}

/** Whether this change would end processes. A group in another place takes its workloads along, and they start anew. */
function startsAnew(before: Resource, after: Resource): boolean {
  if (before.parent !== after.parent) return true;
  if (before.kind !== "Workload" || after.kind !== "Workload") return false;
  return before.run.replicas > after.run.replicas || !same({ ...before.run, replicas: 0 }, { ...after.run, replicas: 0 });
}

interface SetOptions {
  /** An empty directory means that everything shall go. */
  readonly forcePrune?: boolean;
  /** What was in force when the last controller ended, so that what is broken or missing now is known for what it was. */
  readonly before?: LastInForce | undefined;
  /** How a file is read. */
  readonly read?: typeof readFile;
}

export class ManifestSet {
  private files = new Map<string, KnownFile>();
  private readonly directory: string;
  private readonly forcePrune: boolean;
  private readonly read: typeof readFile;
  private before: LastInForce | undefined;
  private started = false;
  /** Whether something stays in force only until the tree is calm. */
  lingers = false;
  manifests: Manifests = NO_MANIFESTS;

  constructor(directory: string, { forcePrune = false, before, read = readFile }: SetOptions = {}) {
    this.directory = directory;
    this.forcePrune = forcePrune;
    this.before = before;
    this.read = read;
  }

  /**
   * Takes a look's contents: of all files, or of `part` of them, the others being as they were. Tells what is different
   * from before: nothing (undefined), some objects alone, or perhaps everything ("all").
   *
   * Unless the tree is `calm`, what an edit takes away, or would start anew, stays in force as it was: a checkout, a copy
   * or a slow writer may be in the middle of it. Everything else follows at once.
   */
  update(contents: readonly FileContent[], { part = false, calm = true } = {}): readonly Edit[] | "all" | undefined {
    if (!calm && this.before) this.manifests = this.before.load();
    const edits: { before: ReadFile | undefined; after: ReadFile }[] = [];
    const next = part ? this.files : new Map<string, KnownFile>();
    for (const content of contents) {
      const known = this.files.get(content.path);
      if (known?.content === content && !(calm && known.read.lingering)) next.set(content.path, known);
      else {
        const plain = known?.content === content ? withoutLingering(known.read) : this.read(content, known?.read);
        const read = calm || content.whole ? plain : this.withLingering(plain);
        next.set(content.path, { content, read });
        edits.push({ before: known?.read, after: read });
      }
    }
    if (!calm && !part)
      for (const path of this.vanished(next)) next.set(path, { content: { path, text: "" }, read: this.withLingering({ path, documents: [] }) });
    const sameFiles = part || (this.started && next.size === this.files.size && [...next.keys()].every((path) => this.files.has(path)));
    this.files = next;
    this.started = true;
    this.lingers = [...next.values()].some(({ read }) => read.lingering !== undefined);
    if (sameFiles && edits.length === 0) return undefined;
    const [edit] = edits;
    const amended = sameFiles && edits.length === 1 && edit?.before ? amend(this.manifests, edit.before, edit.after) : undefined;
    if (amended) return amended;
    const files = [...next.values()].map(({ read }) => read);
    let linked = link(files, this.manifests);
    // What the last controller had in force is read only when something is broken or gone.
    if (this.before && (linked.problems.length > 0 || this.before.keys.some((key) => !linked.resources.has(key)))) {
      this.manifests = this.before.load();
      linked = link(files, this.manifests);
    }
    this.before = undefined;
    this.manifests = this.guard(linked);
    return "all";
  }

  /** Files of objects in force that are not there any more. */
  private vanished(files: ReadonlyMap<string, unknown>): Set<string> {
    return new Set([...this.manifests.resources.values()].map(({ origin }) => origin.file).filter((path) => !files.has(path)));
  }

  private withLingering(read: ReadFile): ReadFile {
    const now = new Map(read.documents.flatMap(({ resource }) => (resource ? [[resource.key, resource] as const] : [])));
    const lingering = [...this.manifests.resources.values()].filter((resource) => {
      const declared = now.get(resource.key);
      return declared ? startsAnew(resource, declared) : resource.origin.file === read.path;
    });
    return lingering.length > 0 ? { ...read, lingering } : read;
  }

  /**
   * Most objects gone at once is more often a mistake (a volume not mounted, a branch switched, a checkout half done) than
   * a wish: then what was in force stays.
   */
  private guard(linked: Manifests): Manifests {
    const { resources } = this.manifests;
    if (this.forcePrune) return linked;
    // Also at the very first look: what is on the machine may be an earlier controller's work.
    if (resources.size === 0) return linked.resources.size > 0 ? linked : { ...linked, held: true };
    const vanished = [...resources.values()].filter(({ key }) => !linked.resources.has(key));
    const all = linked.resources.size === 0;
    const both = new Map([...resources, ...linked.resources]);
    // Also what is gone meanwhile stays in force: when all is whole again, it is seen to be gone.
    if (linked.problems.length > 0) return { ...linked, resources: both };
    if (!all && (vanished.length < FEW || vanished.length * 2 <= resources.size)) return linked;
    const names = vanished.slice(0, 5).map(({ key }) => key);
    const problem = {
      reason: "PruneHeld",
      file: this.directory,
      line: 0,
      column: 0,
      pointer: "",
      message: all
        ? "the directory has no manifests any more: what was in force stays"
        : `${vanished.length} of ${resources.size} objects are gone at once: what was in force stays (${names.join(", ")}${vanished.length > 5 ? ", …" : ""})`,
      hint: `if ${all ? "everything" : "they"} shall go, start with --prune=force${all ? "" : ", or take fewer away at a time"}`,
    } as const;
    return { resources: both, problems: [problem], held: true };
  }
}
