/** Knows how to read /proc: states, start times, children and exit statuses of processes. */
import { constants } from "node:os";
import { textIn } from "./optional.ts";

/** What /proc/PID/stat tells (proc(5)). */
export interface ProcessStat {
  readonly pid: number;
  /** Name of the program, or what it calls itself; at most 15 bytes. */
  readonly comm: string;
  readonly state: string;
  readonly parent: number;
  /** Id of its process group. */
  readonly group: number;
  /** Never reached exec since it was forked (PF_FORKNOEXEC). */
  readonly neverExeced: boolean;
  /** On its way out, whatever its state says (PF_EXITING). */
  readonly exiting: boolean;
  /** A thread of the kernel's (PF_KTHREAD). */
  readonly kernel: boolean;
  /** Clock ticks since boot: together with the pid and the boot, the identity of a process. */
  readonly startTicks: number;
  readonly threads: number;
  /** wait(2) status of a zombie. */
  readonly waitStatus: number;
}

const PF_EXITING = 0x4;
const PF_FORKNOEXEC = 0x40;
const PF_KTHREAD = 0x200000;

/** Undefined when there is no such process. */
export function statOf(pid: number): ProcessStat | undefined {
  const text = textIn(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** The text of a file stat; undefined where it is empty. */
export function parseStat(text: string): ProcessStat | undefined {
  if (text === "") return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const flags = Number(fields[6]);
  return {
    pid: Number.parseInt(text, 10),
    comm: text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")),
    state: fields[0] ?? "",
    parent: Number(fields[1]),
    group: Number(fields[2]),
    neverExeced: (flags & PF_FORKNOEXEC) !== 0,
    exiting: (flags & PF_EXITING) !== 0,
    kernel: (flags & PF_KTHREAD) !== 0,
    threads: Number(fields[17]),
    startTicks: Number(fields[19]),
    waitStatus: Number(fields[49]),
  };
}

/** Whether a process is over. One whose first thread ended alone (pthread_exit) shows as a zombie too, and lives on. */
export function hasEnded(stat: ProcessStat | undefined): boolean {
  return stat === undefined || stat.state === "X" || (stat.state === "Z" && stat.threads <= 1);
}

const SIGKILL = 1n << 8n;

/** Whether a process is over, on its way out, or has been sent SIGKILL (proc_pid_status(5), SigPnd and ShdPnd). */
export function isDoomed(pid: number): boolean {
  // The signal first: it is pending no more as soon as the process is on its way out, and that shows for longer.
  const pending = [...(textIn(`/proc/${pid}/status`) ?? "").matchAll(/^S(?:ig|hd)Pnd:\s*([0-9a-f]+)$/gm)];
  if (pending.length === 0 || pending.some(([, set]) => (BigInt(`0x${set}`) & SIGKILL) !== 0n)) return true;
  const stat = statOf(pid);
  return stat?.exiting === true || hasEnded(stat);
}

/** Signals whose default action ends nothing (signal(7)). */
const HARMLESS: ReadonlySet<string> = new Set(["SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"]);

/**
 * Whether a signal comes to nothing: the first process of a pid namespace gets none that it has not asked for, from the outside
 * only SIGKILL and SIGSTOP (pid_namespaces(7)). One that it blocks it may be waiting for.
 */
export function isDeafTo(pid: number, name: NodeJS.Signals): boolean {
  if (HARMLESS.has(name)) return false;
  const signal = constants.signals[name];
  const status = textIn(`/proc/${pid}/status`) ?? "";
  const pids = /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  if (pids.length < 2 || pids.at(-1) !== "1") return false;
  const bit = 1n << BigInt(signal - 1);
  return ["SigBlk", "SigIgn", "SigCgt"].every((set) => (BigInt(`0x${new RegExp(`^${set}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1] ?? "0"}`) & bit) === 0n);
}

/** Pids of the children of a process with one thread. */
export function childrenOf(pid: number): number[] {
  return (textIn(`/proc/${pid}/task/${pid}/children`) ?? "").split(" ").filter(Boolean).map(Number);
}

export function commandLineOf(pid: number): string[] {
  return (textIn(`/proc/${pid}/cmdline`) ?? "").split("\0");
}

/** The same, with blanks between its words. */
export const commandLineIn = (pid: number): string | undefined => textIn(`/proc/${pid}/cmdline`)?.replace(/\0+$/, "").replaceAll("\0", " ");

/** The cgroup of a process in each hierarchy: v1 controllers (`cpu,cpuacct`) or "" for v2, to the path. */
export function cgroupsOf(pid: number): ReadonlyMap<string, string> | undefined {
  const text = textIn(`/proc/${pid}/cgroup`);
  if (text === undefined) return undefined;
  return parseCgroups(text);
}

/** The text of a file cgroup (cgroups(7)). */
export function parseCgroups(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const [, controllers = "", ...path] = line.split(":");
        return [controllers, path.join(":")] as const;
      }),
  );
}

/** `web@0`: the replica in whose cgroup a process is; undefined when it is in none, or gone. */
export function replicaOfProcess(pid: number, root: string): string | undefined {
  for (const path of cgroupsOf(pid)?.values() ?? []) {
    const below = path.split(`/${root}/`)[1];
    const replica = below?.split("/").find((part) => /@\d+$/.test(part));
    if (replica !== undefined) return replica;
  }
  return undefined;
}

/** The mount table of a process, as text; empty when it is gone. */
export const mountsSeenBy = (pid: number): string => textIn(`/proc/${pid}/mountinfo`) ?? "";

export function bootId(): string {
  return (textIn("/proc/sys/kernel/random/boot_id") ?? "").trim();
}
