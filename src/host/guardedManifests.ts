/** Knows the manifest directory as far as it may be followed: files that only those may change who may do all anyway, and, where a key is given, a whole that was signed by it. */
import type { Problem, ProblemReason } from "../api/problem.ts";
import type { FileContent } from "../manifest/read.ts";
import type { SigningKey } from "./detached.ts";
import type { Look, ManifestDirectory } from "./manifestFiles.ts";
import { whyNotSealed } from "./seal.ts";
import { type Trusted, whyOthersMayChange } from "./trust.ts";

export interface Guards {
  /** Who may change manifests; undefined: whoever can. */
  readonly trusted: Trusted | undefined;
  /** By whom all must be signed. */
  readonly key: SigningKey | undefined;
}

/** Where manifests are read from. */
export type ManifestSource = Pick<ManifestDirectory, "path" | "scan" | "look">;

/** A directory and its signature do not change in the same moment: so long they may disagree unseen, ms. */
const PATIENCE = 2000;

export class GuardedManifests {
  readonly path: string;
  private readonly inner: ManifestDirectory;
  private readonly guards: Guards;
  /** What was refused, and why: the same refusal is the same content. */
  private readonly refused = new Map<string, { readonly why: string; readonly content: FileContent }>();
  private good: readonly FileContent[] | undefined;
  private unsealedSince: number | undefined;

  constructor(inner: ManifestDirectory, guards: Guards) {
    this.inner = inner;
    this.path = inner.path;
    this.guards = guards;
  }

  /** Looks at the whole tree. */
  scan(): Look {
    const known = new Map<string, string | undefined>();
    const look = this.inner.scan();
    return this.sealed({ ...look, contents: look.contents.map((content) => this.trusted(content, known)) });
  }

  /** Looks at some files alone; undefined when that is not enough. What is signed is signed as a whole. */
  look(files: ReadonlySet<string>): Look | undefined {
    if (this.guards.key) return undefined;
    const known = new Map<string, string | undefined>();
    const look = this.inner.look(files);
    return look && { ...look, contents: look.contents.map((content) => this.trusted(content, known)) };
  }

  private trusted(content: FileContent, known: Map<string, string | undefined>): FileContent {
    const { trusted } = this.guards;
    if (!trusted || "problem" in content) return content;
    const { path } = content;
    // A name with control characters in it is shown in quotes: it is not the file's.
    const why = path.startsWith('"') ? "its name has control characters" : whyOthersMayChange(path, trusted, known);
    if (why === undefined) return content;
    return this.refuse(path, "FileUntrusted", why, "what it says is done with root's rights: chown and chmod it, or say --trust any");
  }

  private refuse(path: string, reason: ProblemReason, why: string, hint: string): FileContent {
    const before = this.refused.get(path);
    if (before?.why === why) return before.content;
    const problem: Problem = { reason, file: path, line: 0, column: 0, pointer: "", message: why, hint };
    const content: FileContent = { path, problem };
    this.refused.set(path, { why, content });
    return content;
  }

  /** What was good stays in force as a whole, until something else is. */
  private sealed(look: Look): Look {
    const { key } = this.guards;
    if (!key) return look;
    const files = look.contents.flatMap((content) => ("text" in content ? [content] : []));
    const why = look.contents.length > files.length ? undefined : whyNotSealed(this.path, files, key);
    if (why === undefined && files.length === look.contents.length) {
      this.good = look.contents;
      this.unsealedSince = undefined;
      return look;
    }
    this.unsealedSince ??= Date.now();
    const left = this.good === undefined ? 0 : this.unsealedSince + PATIENCE - Date.now();
    if (left > 0) return { ...look, contents: this.good ?? [], again: Math.min(left, look.again ?? left) };
    const problems = look.contents.filter((content) => "problem" in content);
    const refusal = why === undefined ? [] : [this.refuse(this.path, "SignatureRefused", why, "what was in force stays; sign manifests.sha256 anew")];
    return { ...look, contents: [...problems, ...refusal, ...(this.good ?? [])] };
  }
}
