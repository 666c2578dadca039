/** Knows what comes of an import: objects as people would write them, and what could not be said in them. */
import { LIMITS, type LimitName } from "../api/limits.ts";
import { MEMBERS } from "../api/resource.ts";
import { API_VERSION } from "../api/schemas.ts";

export interface DraftObject {
  readonly apiVersion: string;
  readonly kind: "LimitGroup" | "Workload";
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface Imported {
  readonly objects: readonly DraftObject[];
  /** What is left out or comes out otherwise, in words, with its place where there is one. */
  readonly notes: readonly string[];
}

/** What is wrong with what shall be imported, with its line. */
export class NotImportable extends Error {}

export const draft = (kind: DraftObject["kind"], name: string, spec: DraftObject["spec"]): DraftObject => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name },
  spec,
});

const RESERVED: ReadonlySet<string> = new Set(["tasks", MEMBERS]);

/** Makes names of objects (RFC 1123 labels) out of anything, each once. */
export class Names {
  private readonly taken = new Set<string>();

  make(text: string): string {
    const label = text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, "-")
      .replaceAll(/^-+|-+$/g, "")
      .slice(0, 58)
      .replace(/-+$/, "");
    const base = label === "" || RESERVED.has(label) ? `${label || "group"}-0` : label;
    let name = base;
    for (let count = 2; this.taken.has(name); count++) name = `${base}-${count}`;
    this.taken.add(name);
    return name;
  }
}

/** A canonical value as a person would write it, and exactly that: `20%`, `200Mi`. */
export function written(name: LimitName, value: string): unknown {
  const { format, parse } = LIMITS[name];
  if (name === "cpu.idle" || name === "memory.oom.group") return value === "1";
  const text = format(value);
  const back = parse(text);
  if ("ok" in back && back.ok === value) return /^\d+$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER ? Number(text) : text;
  if (name === "cpu.max") {
    const [quota = "max", period = "100000"] = value.split(" ");
    return { quota: quota === "max" ? quota : `${quota}us`, period: `${period}us` };
  }
  return value;
}
