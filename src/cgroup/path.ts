/** Knows the names of cgroups below Holdfast's root, and what may be one. */

import { LONGEST_PATH, MEMBERS } from "../api/resource.ts";

/**
 * A cgroup relative to Holdfast's root: `batch/nightly-backup@0`; the root itself is the empty string. One that somebody else has made is `/system.slice/nginx.service`, from the
 * mount on.
 */
export type CgroupPath = string & { readonly __cgroupPath: unique symbol };

export const ROOT = "" as CgroupPath;

/** A child's path. Names come from validated manifests or from the kernel; anything else is a programming error. */
export function childPath(parent: CgroupPath, name: string): CgroupPath {
  const path = parent === "" ? name : `${parent}/${name}`;
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\n") || path.length > LONGEST_PATH)
    throw new Error(`not a cgroup name: ${JSON.stringify(name)} below ${parent}`);
  return path as CgroupPath;
}

/** Whether a path is that of a cgroup that Holdfast has not made: such paths begin with a slash, and the mount. */
export const isForeign = (path: string): boolean => path.startsWith("/");

export function parentPath(path: CgroupPath): CgroupPath {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0)) as CgroupPath;
}

/** The cgroups above one, the nearest first, without the root. */
export function ancestorsOf(path: CgroupPath): readonly CgroupPath[] {
  const found: CgroupPath[] = [];
  for (let above = parentPath(path); above !== ROOT; above = parentPath(above)) found.push(above);
  return found;
}

/** Its last part: `web@0`. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Number of levels below the root: 0 for the root. */
export function depthOf(path: CgroupPath): number {
  let depth = path === "" ? 0 : 1;
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) depth++;
  return depth;
}

/**
 * `nightly-backup@0`: the cgroup of one replica. No object may have `@` in its name, so that a LimitGroup
 * and a Workload of the same name never meet in one directory.
 */
export function replicaName(workload: string, ordinal: number): string {
  return `${workload}@${ordinal}`;
}

/** Directories of Holdfast itself (the holders, the lock) start with a dot, which no object's name does. */
export function isInternal(name: string): boolean {
  return name.startsWith(".");
}

/** Whether a cgroup is one of a group's members; a workload's own cgroups may be called anything. */
export const isMembersPath = (path: string): boolean => path.endsWith(`/${MEMBERS}`) && !path.includes("@") && !isForeign(path);

/** Checks what a person gives as `--root`: a relative path of ordinary names, never the hierarchy's own root. */
export function checkRoot(root: string): string | undefined {
  const clean = root.replace(/^\/+|\/+$/g, "");
  const parts = clean.split("/");
  if (clean === "" || parts.some((part) => !/^[A-Za-z0-9_][\w.:@-]{0,254}$/.test(part))) return undefined;
  return clean;
}
