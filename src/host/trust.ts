/** Knows whether a user could change a file: itself, or any directory on the way to it. */
import { realpathSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/**
 * Why that user has a say in what the file is; undefined: none. A file that is gone is nobody's. `known`: what was found out about
 * directories a moment ago. Access control lists beyond the mode are not looked at.
 */
export function whyUntrusted(file: string, user: User, known = new Map<string, string | undefined>()): string | undefined {
  for (const path of new Set([...wayTo(resolve(file)), ...wayTo(realOf(file))])) {
    if (!known.has(path)) {
      const stat = statSync(path, { throwIfNoEntry: false });
      known.set(path, stat && mayChange(stat, user));
    }
    const why = known.get(path);
    if (why !== undefined) return `user ${user.name} could change it: ${path} ${why}`;
  }
  return undefined;
}

/** The file and all directories above it. */
function wayTo(file: string): string[] {
  const above = dirname(file);
  return above === file ? [file] : [...wayTo(above), file];
}

function realOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return resolve(file);
  }
}

/** In a sticky directory only owners rename and remove (inode(7)). */
function mayChange(stat: Stats, { uid, gid, groups }: User): string | undefined {
  const sticky = stat.isDirectory() && (stat.mode & 0o1000) !== 0;
  if (stat.uid === uid) return "belongs to it";
  if ((stat.mode & 0o020) !== 0 && !sticky && (stat.gid === gid || groups.includes(stat.gid))) return "belongs to a group of it, and may be written by that";
  return (stat.mode & 0o002) !== 0 && !sticky ? "may be written by everybody" : undefined;
}
