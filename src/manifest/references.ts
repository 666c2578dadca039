/** Knows which other objects a manifest names, and how to say that there is none of that name. */
import type { Problem } from "../api/problem.ts";
import type { Kind, ObjectKey, Origin } from "../api/resource.ts";
import { locate } from "./locate.ts";
import { suggest } from "./suggest.ts";

/** One name of another object, and where it stands. */
export interface Reference {
  readonly to: ObjectKey;
  readonly pointer: string;
}

/** The references of a document, also of one that is broken elsewhere. */
export function referencesIn(value: unknown): readonly Reference[] {
  const { kind, spec } = (value ?? {}) as { kind?: unknown; spec?: Record<string, unknown> | null };
  const named = (entry: unknown, to: Kind, pointer: string): Reference[] => {
    const name = (entry as { name?: unknown } | null | undefined)?.name;
    return typeof name === "string" ? [{ to: `${to}/${name}`, pointer: `${pointer}/name` }] : [];
  };
  if (kind === "LimitGroup") return named(spec?.["parentRef"], "LimitGroup", "/spec/parentRef");
  if (kind !== "Workload") return [];
  const dependencies = Array.isArray(spec?.["dependsOn"]) ? spec["dependsOn"] : [];
  return [
    ...named(spec?.["limitGroupRef"], "LimitGroup", "/spec/limitGroupRef"),
    ...dependencies.flatMap((entry, index) => named(entry, "Workload", `/spec/dependsOn/${index}`)),
  ];
}

/** `kept`: the one that was in force under that name stays. */
export function notFound(object: string | undefined, { to, pointer }: Reference, origin: Origin, known: Iterable<ObjectKey>, kept = false): Problem {
  const [kind = "", name = ""] = to.split("/");
  const names = [...known].flatMap((key) => (key.startsWith(`${kind}/`) ? [key.slice(kind.length + 1)] : []));
  const hint = kept ? `the ${kind === "Workload" ? "workload" : "group"} as it was stays in force` : suggest(name, names);
  return {
    reason: "ReferenceNotFound",
    pointer,
    message: `expected the name of a ${kind}, found no ${kind} ${name}`,
    ...locate(origin, pointer),
    ...(object === undefined ? {} : { object }),
    ...(hint ? { hint } : {}),
  };
}
