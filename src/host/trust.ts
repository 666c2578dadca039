/** Knows whether a user could change a file: itself, or any directory or link on the way to it. */
import { lstatSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import { dirname, resolve } from "node:path";

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** So many links on one way are followed, as the kernel does (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Why that user has a say in what the file is; undefined: none. A file that is gone is nobody's. `known`: what was found out about paths a
 * moment ago. Access control lists beyond the mode are not looked at.
 */
export function whyUntrusted(file: string, user: User, known = new Map<string, string | undefined>()): string | undefined {
  return onTheWay(file, (path, stat) => mayChange(path, stat, user), known);
}

/** Those who may do all anyway. */
export interface Trusted {
  readonly uids: ReadonlySet<number>;
  readonly gids: ReadonlySet<number>;
}

/** Why anybody else has a say in what the file is; undefined: nobody has. As sshd(8) looks at authorized_keys (StrictModes). */
export function whyOthersMayChange(file: string, trusted: Trusted, known = new Map<string, string | undefined>()): string | undefined {
  return onTheWay(file, (path, stat) => othersMayChange(path, stat, trusted), known);
}

/** Asks about a file, each directory above it, and each link on the way and what that leads to; what is said of one is said of all. */
function onTheWay(file: string, ask: (path: string, stat: Stats) => string | undefined, known: Map<string, string | undefined>): string | undefined {
  let links = 0;
  const check = (path: string): string | undefined => {
    if (known.has(path)) return known.get(path);
    const above = dirname(path) === path ? undefined : check(dirname(path));
    const stat = above === undefined ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
    const why = above ?? (stat && ask(path, stat)) ?? (stat?.isSymbolicLink() ? follow(path) : undefined);
    known.set(path, why);
    return why;
  };
  const follow = (link: string): string | undefined =>
    ++links > MOST_LINKS ? "it is behind too many links" : check(resolve(realpathSync(dirname(link)), readlinkSync(link)));
  try {
    return check(resolve(file));
  } catch (error) {
    return `it cannot be looked at: ${(error as Error).message}`;
  }
}

/** In a sticky directory only owners rename and remove (inode(7)); everybody may write to a link's mode, and nobody to a link. */
function mayChange(path: string, stat: Stats, { name, uid, gid, groups }: User): string | undefined {
  const sticky = stat.isDirectory() && (stat.mode & 0o1000) !== 0;
  const because = (why: string): string => `user ${name} could change it: ${path} ${why}`;
  if (stat.uid === uid) return because("belongs to it");
  if (stat.isSymbolicLink()) return undefined;
  if ((stat.mode & 0o020) !== 0 && !sticky && (stat.gid === gid || groups.includes(stat.gid)))
    return because("belongs to a group of it, and may be written by that");
  return (stat.mode & 0o002) !== 0 && !sticky ? because("may be written by everybody") : undefined;
}

function othersMayChange(path: string, stat: Stats, { uids, gids }: Trusted): string | undefined {
  const sticky = stat.isDirectory() && (stat.mode & 0o1000) !== 0;
  if (!uids.has(stat.uid)) return `${path} belongs to user ${stat.uid}`;
  if (stat.isSymbolicLink()) return undefined;
  if ((stat.mode & 0o020) !== 0 && !sticky && !gids.has(stat.gid)) return `${path} may be written by group ${stat.gid}`;
  return (stat.mode & 0o002) !== 0 && !sticky ? `${path} may be written by everybody` : undefined;
}
