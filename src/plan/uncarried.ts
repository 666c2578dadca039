/** Knows how limits are told of that no kernel file carries. */
import type { Problem } from "../api/problem.ts";
import type { Resource } from "../api/resource.ts";
import type { FileEntry } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { locate } from "../manifest/locate.ts";
import type { DesiredCgroup } from "./desired.ts";
import { problemOf } from "./problemOf.ts";
import { pointerOf } from "./source.ts";

/** A cgroup of somebody else's that is in some hierarchies only: limits of the others are carried by nothing. */
export function notIn(hierarchy: string, table: readonly FileEntry[], { path, owner, settings }: DesiredCgroup): Problem[] {
  if (!owner) return [];
  const knobs = new Set(table.flatMap(({ file, knob }) => (settings.has(file.name) ? [knob] : [])));
  const message = `${path.slice(1)} is not in the ${hierarchy} hierarchy now: nothing carries this limit`;
  const hint = "it is written when its owner makes the cgroup there as well";
  return [...knobs].map((knob) => problemOf(owner, "CgroupNotFound", pointerOf(knob), message, { cgroup: path, hint }));
}

export function unsupported(owner: Resource | undefined, cgroup: CgroupPath, knob: string, file: string, needs: string): Problem {
  const pointer = pointerOf(knob);
  const place = owner ? locate(owner.origin, pointer, "key") : { file, line: 0, column: 0 };
  return {
    reason: "KnobUnsupported",
    cgroup,
    pointer,
    message: `this kernel has no ${file}`,
    ...place,
    ...(owner ? { object: owner.key } : {}),
    ...(needs ? { hint: `needs ${needs}` } : {}),
  };
}
