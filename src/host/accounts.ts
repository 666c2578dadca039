/** Knows how to look up users and groups: in the files first, then wherever else the machine keeps them (getent(1)). */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { AccountFact } from "../cgroup/machine.ts";

/** `user:backup`, `user:34`, `group:www-data` or `group:33`, as manifests mention them. */
export function findAccount(mention: string): AccountFact {
  const [kind = "", key = ""] = mention.split(":");
  const numeric = /^\d+$/.test(key);
  if (kind === "group") {
    if (numeric) return { gid: Number(key) };
    const [, , gid] = entryOf("group", key) ?? [];
    return gid === undefined ? { problem: `there is no group ${key}` } : { gid: Number(gid) };
  }
  const [name, , uid, gid, , home] = entryOf("passwd", key) ?? [];
  // A number needs no entry: then it has no group of its own either.
  if (name === undefined || uid === undefined) return numeric ? { uid: Number(key), gid: undefined, groups: [] } : { problem: `there is no user ${key}` };
  return { uid: Number(uid), gid: Number(gid), groups: groupsOf(name, Number(gid)), name, ...(home ? { home } : {}) };
}

/** The fields of an entry (passwd(5), group(5)), by name or number. */
function entryOf(database: "passwd" | "group", key: string): string[] | undefined {
  const fits = ([name, , number]: readonly string[]): boolean => (/^\d+$/.test(key) ? number === key : name === key);
  return linesOf(database).find(fits) ?? getent(database, key);
}

function linesOf(database: "passwd" | "group"): string[][] {
  try {
    return readFileSync(`/etc/${database}`, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  } catch {
    return [];
  }
}

/** What the files do not have may be in a directory service (nsswitch.conf(5)). */
function getent(database: string, key: string): string[] | undefined {
  const { status, stdout } = spawnSync("getent", [database, key], { encoding: "utf8", timeout: 2000, stdio: ["ignore", "pipe", "ignore"] });
  return status === 0 ? stdout.trim().split(":") : undefined;
}

/** All groups of a user, as initgroups(3) sets them. */
function groupsOf(name: string, primary: number): number[] {
  const others = linesOf("group").flatMap(([, , gid, members = ""]) => (members.split(",").includes(name) ? [Number(gid)] : []));
  return [...new Set([primary, ...others])];
}
