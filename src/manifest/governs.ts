/** Knows what is right in spec.cgroupPath: a path, or a glob, of cgroups that are somebody's, and never the root. */
import { whyNoGlob } from "../api/glob.ts";
import type { Report } from "../api/problem.ts";
import type { Governs } from "../api/resource.ts";
import type { LimitGroup } from "../api/schema.ts";

/** What makes no sense in a cgroup that is somebody else's. */
const EXCLUDED = ["parentRef", "frozen", "members"] as const;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f\x7f]/;

export function governs(spec: NonNullable<LimitGroup["spec"]>, report: Report): Governs | undefined {
  const { cgroupPath, deletionPolicy } = spec;
  if (cgroupPath === undefined) {
    if (deletionPolicy !== undefined)
      report("InvalidValue", "/spec/deletionPolicy", "expected cgroupPath beside it: a cgroup of the group's own goes with its manifest");
    return undefined;
  }
  const path = cgroupPath.replace(/^\/+|\/+$/g, "");
  const bad = (what: string, hint?: string): void => report("InvalidValue", "/spec/cgroupPath", `expected ${what}, found ${JSON.stringify(cgroupPath)}`, hint);
  if (path === "") bad("a cgroup below the root", "the root cgroup is never governed");
  else if (path.split("/").some((part) => part === "" || part === "." || part === "..") || CONTROL.test(path)) bad("a path of names");
  const why = path === "" ? undefined : whyNoGlob(path);
  if (why !== undefined) bad("a path or a glob", why);
  for (const field of EXCLUDED)
    if (spec[field] !== undefined) report("InvalidValue", `/spec/${field}`, `expected no ${field} beside cgroupPath: that cgroup is somebody else's`);
  return { paths: `/${path}`, deletionPolicy: deletionPolicy ?? "Restore" };
}
