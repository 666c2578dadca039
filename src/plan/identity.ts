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
export function wrapOf(identity: Identity, machine: Pick<Machine, "accounts">): Wrap | { readonly obstacle: string } {
  const { nice, ioPriority, schedulingPolicy, cpuAffinity, rlimits = [] } = identity;
  const wrap: (readonly string[])[] = [];
  if (cpuAffinity !== undefined) wrap.push(["taskset", "--cpu-list", cpuAffinity]);
  if (schedulingPolicy) wrap.push(["chrt", POLICY[schedulingPolicy.policy], String(schedulingPolicy.priority)]);
  if (ioPriority)
    wrap.push(["ionice", "-c", CLASS[ioPriority.class], ...(ioPriority.class === "IOPRIO_CLASS_IDLE" ? [] : ["-n", String(ioPriority.priority)])]);
  if (nice !== undefined) wrap.push(["nice", "-n", String(nice)]);
  if (rlimits.length > 0)
    wrap.push(["prlimit", ...rlimits.map(({ type, soft, hard }) => `--${type.slice("RLIMIT_".length).toLowerCase()}=${soft}:${hard}`), "--"]);
  if (accountsOf(identity).length === 0) return { wrap, env: [] };
  const privileges = setpriv(identity, machine);
  return "obstacle" in privileges ? privileges : { wrap: [...wrap, privileges.command], env: privileges.env };
}

function setpriv(
  { user, group, supplementaryGroups }: Identity,
  { accounts }: Pick<Machine, "accounts">,
): { readonly command: readonly string[]; readonly env: Wrap["env"] } | { readonly obstacle: string } {
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
  const groups = supplementaryGroups ? others.flatMap((fact) => ("gid" in fact ? [fact.gid] : [])) : (account?.groups ?? []);
  const command = [
    "setpriv",
    ...(account ? [`--reuid=${account.uid}`] : []),
    ...(gid === undefined ? [] : [`--regid=${gid}`]),
    groups.length > 0 ? `--groups=${groups.join(",")}` : "--clear-groups",
    "--",
  ];
  const env: (readonly [string, string])[] = [];
  if (account?.home) env.push(["HOME", account.home]);
  if (account?.name) env.push(["USER", account.name], ["LOGNAME", account.name]);
  return { command, env };
}
