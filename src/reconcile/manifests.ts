/** Knows the manifests in force: reads what changed, links all, keeps what was good. */
import type { Resource } from "../api/resource.ts";

import { amend, link, type Manifests, NO_MANIFESTS } from "../manifest/link.ts";
import type { FileContent, ReadFile } from "../manifest/read.ts";
import { readFile } from "../manifest/read.ts";

export class ManifestSet {
  private files = new Map<string, { content: FileContent; read: ReadFile }>();
  private readonly directory: string;
  private readonly forcePrune: boolean;
  manifests: Manifests = NO_MANIFESTS;

  /** `forcePrune`: an empty directory means that everything shall go. */
  constructor(directory: string, forcePrune = false) {
    this.directory = directory;
    this.forcePrune = forcePrune;
  }

  /**
   * Takes a look's contents. Tells what is different from before: nothing (undefined), some objects alone, or perhaps
   * everything ("all").
   */
  update(contents: readonly FileContent[]): readonly Resource[] | "all" | undefined {
    const next = new Map<string, { content: FileContent; read: ReadFile }>();
    const edits: { before: ReadFile | undefined; after: ReadFile }[] = [];
    for (const content of contents) {
      const known = this.files.get(content.path);
      if (known?.content === content) next.set(content.path, known);
      else {
        const read = readFile(content, known?.read);
        next.set(content.path, { content, read });
        edits.push({ before: known?.read, after: read });
      }
    }
    const sameFiles = contents.length === this.files.size && this.manifests !== NO_MANIFESTS;
    this.files = next;
    if (sameFiles && edits.length === 0) return undefined;
    const [edit] = edits;
    const amended = sameFiles && edits.length === 1 && edit?.before ? amend(this.manifests, edit.before, edit.after) : undefined;
    if (amended) {
      this.manifests = amended.manifests;
      return amended.changed;
    }
    const files = [...next.values()].map(({ read }) => read);
    this.manifests = this.guardEmpty(link(files, this.manifests));
    return "all";
  }

  /** An empty directory is more often a mistake (a volume not mounted, a checkout half done) than a wish. */
  private guardEmpty(linked: Manifests): Manifests {
    if (linked.resources.size > 0 || linked.problems.length > 0 || this.forcePrune) return linked;
    // Also at the very first look: what is on the machine may be an earlier controller's work.
    if (this.manifests.resources.size === 0) return { ...linked, held: true };
    const problem = {
      reason: "PruneHeld",
      file: this.directory,
      line: 0,
      column: 0,
      pointer: "",
      message: "the directory has no manifests any more: what was in force stays",
      hint: "if everything shall go, start with --prune=force",
    } as const;
    return { resources: this.manifests.resources, problems: [problem], held: true };
  }
}
