/** Knows how a process becomes who it shall be: the programs through which it is started, one after the other (exec). */
import type { Identity } from "../api/resource.ts";
import type { AccountFact, Machine } from "../cgroup/machine.ts";

export interface Wrap {
  /** Command lines, each of which executes the next; the last one the workload's command. */
  readonly wrap: readonly (readonly string[])[];
  /** What a login of that user would have; the manifest's own variables win. */
  readonly env: readonly (readonly [string, string])[];
}

/** Variables that a POSIX shell, dash, bash or ksh keeps for itself: it refuses, changes or obeys what a workload means by them. */
const SHELLS_OWN = /^(_|OPTIND|OPTARG|PPID|E?UID|GROUPS|LINENO|SECONDS|S?RANDOM|SHLVL|SHELLOPTS|BASH\w*|EPOCH\w+|DIRSTACK|FUNCNAME|HISTCMD|PIPESTATUS)$/;

/** Whether the launching shell cannot hand this variable on. */
export const isShellsOwn = (name: string): boolean => SHELLS_OWN.test(name);

/** What sets those: env(1), whose words everybody may read. */
export function shellsOwn(env: Wrap["env"]): Wrap["wrap"] {
  const words = env.filter(([name]) => isShellsOwn(name)).map(([name, value]) => `${name}=${value}`);
  return words.length > 0 ? [["env", ...words]] : [];
}

/** What must be looked up of it. */
export function accountsOf({ user, group, supplementaryGroups = [] }: Identity): string[] {
  const groups = [...(group === undefined ? [] : [group]), ...supplementaryGroups];
  return [...(user === undefined ? [] : [`user:${user}`]), ...groups.map((name) => `group:${name}`)];
}

const CLASS = { IOPRIO_CLASS_RT: "1", IOPRIO_CLASS_BE: "2", IOPRIO_CLASS_IDLE: "3" } as const;
const POLICY = { SCHED_OTHER: "--other", SCHED_BATCH: "--batch", SCHED_IDLE: "--idle", SCHED_FIFO: "--fifo", SCHED_RR: "--rr" } as const;

/**
 * What needs privilege comes first, giving it up (setpriv) last. Programs of util-linux and coreutils; the obstacle tells why
 * there is no such identity on this machine.
 */
export function wrapOf(identity: Identity, machine: Pick<Machine, "accounts" | "uid">): Wrap | { readonly obstacle: string } {
  const { rlimits = [] } = identity;
  const wrap = [...schedulingOf(identity)];
  if (rlimits.length > 0)
    wrap.push(["prlimit", ...rlimits.map(({ type, soft, hard }) => `--${type.slice("RLIMIT_".length).toLowerCase()}=${soft}:${hard}`), "--"]);
  if (accountsOf(identity).length === 0) return { wrap, env: [] };
  const person = personOf(identity, machine);
  if ("obstacle" in person) return person;
  const { uid, gid, groups, env } = person;
  // Only root can become somebody else.
  const { uid: own } = machine;
  if (own !== 0 && ((uid ?? own) !== own || identity.group !== undefined || identity.supplementaryGroups !== undefined))
    return { obstacle: `the controller runs as user ${own}, and can start nothing as another user or with other groups` };
  if (own !== 0) return { wrap, env };
  const command = [
    "setpriv",
    ...(uid === undefined ? [] : [`--reuid=${uid}`]),
    ...(gid === undefined ? [] : [`--regid=${gid}`]),
    groups.length > 0 ? `--groups=${groups.join(",")}` : "--clear-groups",
    "--",
  ];
  return { wrap: [...wrap, command], env };
}

/** How the kernel schedules it: what children inherit, whoever they are. */
export function schedulingOf({ nice, ioPriority, schedulingPolicy, cpuAffinity }: Identity): Wrap["wrap"] {
  return [
    ...(cpuAffinity === undefined ? [] : [["taskset", "--cpu-list", cpuAffinity]]),
    ...(schedulingPolicy ? [["chrt", POLICY[schedulingPolicy.policy], String(schedulingPolicy.priority)]] : []),
    ...(ioPriority
      ? [["ionice", "-c", CLASS[ioPriority.class], ...(ioPriority.class === "IOPRIO_CLASS_IDLE" ? [] : ["-n", String(ioPriority.priority)])]]
      : []),
    ...(nice === undefined ? [] : [["nice", "-n", String(nice)]]),
  ];
}

/** Whose rights a process has; what is undefined is the controller's. */
interface Person {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly groups: readonly number[];
  readonly env: Wrap["env"];
}

export function personOf({ user, group, supplementaryGroups }: Identity, { accounts }: Pick<Machine, "accounts">): Person | { readonly obstacle: string } {
  const wanted = (mention: string): AccountFact => accounts.get(mention) ?? { problem: `${mention} was not looked up` };
  const facts = [
    user === undefined ? [] : [wanted(`user:${user}`)],
    ...[group ?? [], supplementaryGroups ?? []].map((each) => [each].flat().map((name) => wanted(`group:${name}`))),
  ];
  const problem = facts.flat().find((fact) => "problem" in fact);
  if (problem && "problem" in problem) return { obstacle: problem.problem };
  const [[person], [primary], others = []] = facts as [AccountFact[], AccountFact[], AccountFact[]];
  const account = person && "uid" in person ? person : undefined;
  const gid = primary && "gid" in primary ? primary.gid : account?.gid;
  if (account && gid === undefined) return { obstacle: `the user ${user} has no entry in the user database, and so no group: declare one` };
  const groups = supplementaryGroups ? others.flatMap((fact) => ("gid" in fact ? (fact.gid ?? []) : [])) : (account?.groups ?? []);
  const env: (readonly [string, string])[] = [];
  if (account?.home) env.push(["HOME", account.home]);
  if (account?.name) env.push(["USER", account.name], ["LOGNAME", account.name]);
  return { uid: account?.uid, gid, groups, env };
}
