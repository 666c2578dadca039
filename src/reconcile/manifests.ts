/** Knows the manifests in force: reads what changed, links all, keeps what was good. */

import { link, type Manifests, NO_MANIFESTS } from "../manifest/link.ts";
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

  /** Takes a look's contents; tells whether anything is different from before. */
  update(contents: readonly FileContent[]): boolean {
    const next = new Map<string, { content: FileContent; read: ReadFile }>();
    let changed = contents.length !== this.files.size || this.manifests === NO_MANIFESTS;
    for (const content of contents) {
      const known = this.files.get(content.path);
      if (known?.content === content) next.set(content.path, known);
      else {
        next.set(content.path, { content, read: readFile(content, known?.read) });
        changed = true;
      }
    }
    this.files = next;
    if (changed)
      this.manifests = this.guardEmpty(
        link(
          [...next.values()].map(({ read }) => read),
          this.manifests,
        ),
      );
    return changed;
  }

  /** An empty directory is more often a mistake (a volume not mounted, a checkout half done) than a wish. */
  private guardEmpty(linked: Manifests): Manifests {
    if (linked.resources.size > 0 || this.manifests.resources.size === 0 || linked.problems.length > 0 || this.forcePrune) return linked;
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
