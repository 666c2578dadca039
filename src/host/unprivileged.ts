/** Knows how to run a program with less: as another user, without any capability or a way to get one (setpriv(1)). */
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { findAccount } from "./accounts.ts";
import { findProgram } from "./shell.ts";
import type { User } from "./trust.ts";

/** A user of this machine, or why it cannot be run as. */
export function userNamed(name: string): User | string {
  const account = findAccount(`user:${name}`);
  if ("problem" in account) return `${account.problem} (useradd --system --shell /usr/sbin/nologin ${name})`;
  if (!("uid" in account) || account.gid === undefined) return `expected a user of this machine, found ${name}`;
  if (account.uid === 0) return "expected another user than root";
  if (findProgram("setpriv") === undefined) return "setpriv is not installed: the package util-linux has it";
  return { name, uid: account.uid, gid: account.gid, groups: account.groups };
}

/** Beyond all that distributions, systemd and subuid(5) hand out; where there is no room for that (a user namespace), systemd's dynamic users. */
const RANGES = [
  [0x7e00_0000, 0x7eff_ffff],
  [61_184, 65_519],
] as const;

/** A user that nothing runs as: one of its own for each program that nobody else must be able to touch, not even by a signal (kill(2)). */
export function nobodyElse(): User {
  const mapped = readFileSync("/proc/self/uid_map", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const isMapped = (uid: number): boolean => mapped.some(([first = 0, , size = 0]) => uid >= first && uid < first + size);
  const [first, last] = RANGES.find(([, end]) => isMapped(end)) ?? RANGES[1];
  const uid = randomInt(first, last);
  return { name: String(uid), uid, gid: uid, groups: [] };
}

/** It ends when what starts it does. */
export function unprivileged({ uid, gid, groups }: User, command: readonly string[]): string[] {
  const who = [`--reuid=${uid}`, `--regid=${gid}`, groups.length > 0 ? `--groups=${groups.join()}` : "--clear-groups"];
  return [findProgram("setpriv") ?? "setpriv", ...who, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--pdeathsig=KILL", "--", ...command];
}
