/** Knows whether a process fits a rule of spec.members. */
import { globOf } from "../api/glob.ts";
import { patternOf } from "../api/pattern.ts";
import type { Problem } from "../api/problem.ts";
import type { LimitGroupResource } from "../api/resource.ts";
import type { Member } from "../api/schema.ts";
import type { Machine } from "../cgroup/machine.ts";
import type { ObservedProcess } from "./hostProcess.ts";
import { problemOf } from "./problemOf.ts";

/** Where a process is, or came from: paths below each mount, by hierarchy. */
export type Places = Iterable<string>;

/** What a rule is asked with, besides the candidate. */
export interface Question {
  readonly machine: Pick<Machine, "accounts">;
  readonly pidIn: (file: string) => number | undefined;
}

/** So much of a command line is looked at. */
const LONGEST = 4096;

/** What a rule says of a process; undefined: it cannot be told. */
type Judge = (candidate: ObservedProcess, places: Places, question: Question) => boolean | undefined;

const judges = new WeakMap<Member, Judge>();

/** Whether all that the rule says is true. What cannot be read is not true, and not untrue either: then nothing fits. */
export function fits(rule: Member, candidate: ObservedProcess, places: Places, question: Question): boolean {
  return judgeOf(rule)(candidate, places, question) === true;
}

/** Thousands of processes are asked about: what there is to ask is worked out once. */
function judgeOf(rule: Member): Judge {
  const known = judges.get(rule) ?? all(checksOf(rule));
  judges.set(rule, known);
  return known;
}

const all =
  (checks: readonly Judge[]): Judge =>
  (candidate, places, question) => {
    let unknown = false;
    for (const check of checks) {
      const found = check(candidate, places, question);
      if (found === false) return false;
      unknown ||= found === undefined;
    }
    return unknown ? undefined : true;
  };

/** The cheap ones first. */
function checksOf({ comm, user, group, cgroup, pidFile, exe, cmdline, any, not }: Member): Judge[] {
  const checks: Judge[] = [];
  if (comm !== undefined) checks.push((candidate) => candidate.comm === comm);
  if (user !== undefined) checks.push(({ uid }, _, { machine }) => isId(uid, `user:${user}`, machine, "uid"));
  if (group !== undefined) checks.push(({ gid }, _, { machine }) => isId(gid, `group:${group}`, machine, "gid"));
  if (cgroup !== undefined) checks.push((_, places) => isIn(cgroup, places));
  if (pidFile !== undefined) checks.push(({ pid }, _, { pidIn }) => pidIn(pidFile) === pid);
  if (exe !== undefined) {
    const matches = globOf(exe);
    checks.push((candidate) => {
      const program = candidate.exe();
      return program === undefined ? undefined : matches(program.replace(/ \(deleted\)$/, ""));
    });
  }
  if (cmdline !== undefined) {
    const expression = patternOf(cmdline);
    checks.push((candidate) => expression.test(candidate.commandLine().slice(0, LONGEST)));
  }
  if (any !== undefined) {
    const each = any.map(judgeOf);
    checks.push((...asked) => {
      const found = each.map((judge) => judge(...asked));
      return found.includes(true) ? true : found.includes(undefined) ? undefined : false;
    });
  }
  if (not !== undefined) {
    const judge = judgeOf(not);
    checks.push((...asked) => {
      const found = judge(...asked);
      return found === undefined ? undefined : !found;
    });
  }
  return checks;
}

const isIn = (glob: string, places: Places): boolean => [...places].some((path) => globOf(glob)(path.slice(1)));

/** Whether the rule says by itself that processes of that place are meant, whoever looks after it. */
export const namesPlace = (rule: Member, places: Places): boolean =>
  (rule.cgroup !== undefined && isIn(rule.cgroup, places)) || (rule.any ?? []).some((one) => namesPlace(one, places));

/** Where there is no such account, nobody can tell who is not of it either. */
function isId(id: number, mention: string, { accounts }: Pick<Machine, "accounts">, field: "uid" | "gid"): boolean | undefined {
  const fact = accounts.get(mention);
  const wanted = fact === undefined || "problem" in fact ? undefined : (fact as { readonly uid?: number; readonly gid?: number })[field];
  return wanted === undefined ? undefined : wanted === id;
}

/** A rule and all rules inside it, each with its place in the manifest. */
function rulesIn(rule: Member, pointer: string): (readonly [Member, string])[] {
  return [
    [rule, pointer],
    ...(rule.not ? rulesIn(rule.not, `${pointer}/not`) : []),
    ...(rule.any ?? []).flatMap((one, index) => rulesIn(one, `${pointer}/any/${index}`)),
  ];
}

const mentionsIn = ({ user, group }: Member): [string, string][] => [
  ...(user === undefined ? [] : ([["user", `user:${user}`]] as [string, string][])),
  ...(group === undefined ? [] : ([["group", `group:${group}`]] as [string, string][])),
];

/** What must be looked up of a rule. */
export const accountsOfRule = (rule: Member): string[] => rulesIn(rule, "").flatMap(([one]) => mentionsIn(one).map(([, mention]) => mention));

/** Users and groups that this machine does not have: their rules fit nobody. */
export function unknownAccounts(group: LimitGroupResource, { accounts }: Pick<Machine, "accounts">): Problem[] {
  return group.members.flatMap((rule, index) =>
    rulesIn(rule, `/spec/members/${index}`).flatMap(([one, above]) =>
      mentionsIn(one).flatMap(([field, mention]): Problem[] => {
        const fact = accounts.get(mention);
        if (!fact || !("problem" in fact)) return [];
        return [problemOf(group, "MemberRefused", `${above}/${field}`, `${fact.problem}: the rule fits nobody`, { at: "value" })];
      }),
    ),
  );
}
