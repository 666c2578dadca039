/** Knows what is asked of every process: the run-time checks of Docker's CIS benchmark (docker-bench-security), and those of systemd-analyze security that /proc answers; each with its weight. */
import { CAPABILITIES, DOCKERS } from "../api/capabilities.ts";
import type { NamespaceKind, ProcessFacts } from "./facts.ts";

export interface Check {
  readonly id: string;
  /** What is wrong when it fails. */
  readonly title: string;
  /** Of docker-bench-security. */
  readonly dockerBench?: string;
  /** As in systemd-analyze(1), whose weights these are where it has the check. */
  readonly weight: number;
  /** True: it is well. Undefined: that cannot be told. */
  readonly passes: (facts: ProcessFacts) => boolean | undefined;
}

const bit = (name: (typeof CAPABILITIES)[number]): bigint => 1n << BigInt(CAPABILITIES.indexOf(name));
const maskOf = (names: readonly (typeof CAPABILITIES)[number][]): bigint => names.reduce((mask, name) => mask | bit(name), 0n);

const lacks =
  (...names: (typeof CAPABILITIES)[number][]) =>
  ({ effective }: ProcessFacts): boolean | undefined =>
    effective === undefined ? undefined : (effective & maskOf(names)) === 0n;
const bounded =
  (...names: (typeof CAPABILITIES)[number][]) =>
  ({ bounding }: ProcessFacts): boolean | undefined =>
    bounding === undefined ? undefined : (bounding & maskOf(names)) === 0n;
const apart =
  (kind: NamespaceKind) =>
  ({ sharesNamespace }: ProcessFacts): boolean | undefined => {
    const shares = sharesNamespace[kind];
    return shares === undefined ? undefined : !shares;
  };
const known = <T>(value: T | undefined, test: (value: T) => boolean): boolean | undefined => (value === undefined ? undefined : test(value));
const mountsOf = ({ mounts }: ProcessFacts, test: (all: NonNullable<ProcessFacts["mounts"]>) => boolean): boolean | undefined => known(mounts, test);

/** Directories of the host's that nobody but its owner should change. */
const SENSITIVE = ["/boot", "/dev", "/etc", "/lib", "/sys", "/usr"];
/** What covers a path: the longest mount point above it. */
const covering = (mounts: NonNullable<ProcessFacts["mounts"]>, path: string) =>
  mounts.filter(({ at }) => at === "/" || path === at || path.startsWith(`${at}/`)).sort((a, b) => b.at.length - a.at.length)[0];

export const CHECKS: readonly Check[] = [
  {
    id: "root",
    title: "runs as root outside of a user namespace",
    dockerBench: "4.1",
    weight: 2000,
    passes: (facts) => (facts.uid === undefined ? undefined : facts.uid !== 0 || apart("user")(facts)),
  },
  { id: "user-namespace", title: "shares the host's user namespace", dockerBench: "2.9", weight: 1000, passes: apart("user") },
  {
    id: "capabilities",
    title: "has capabilities beyond those of a container",
    dockerBench: "5.4",
    weight: 1000,
    passes: ({ effective }) => known(effective, (mask) => (mask & ~maskOf(DOCKERS)) === 0n),
  },
  { id: "sys-admin", title: "can get CAP_SYS_ADMIN", dockerBench: "5.4", weight: 1500, passes: bounded("SYS_ADMIN") },
  { id: "sys-ptrace", title: "has CAP_SYS_PTRACE", dockerBench: "5.4", weight: 1500, passes: lacks("SYS_PTRACE") },
  {
    id: "setid",
    title: "can become another user (CAP_SETUID, SETGID, SETPCAP)",
    dockerBench: "5.4",
    weight: 1500,
    passes: lacks("SETUID", "SETGID", "SETPCAP"),
  },
  {
    id: "kernel",
    title: "can change the kernel, its clock or its network",
    dockerBench: "5.4",
    weight: 1000,
    passes: lacks("NET_ADMIN", "SYS_MODULE", "SYS_RAWIO", "SYS_TIME"),
  },
  { id: "net-raw", title: "has CAP_NET_RAW", dockerBench: "5.4", weight: 500, passes: lacks("NET_RAW") },
  {
    id: "privileged",
    title: "is privileged: all capabilities, and no seccomp",
    dockerBench: "5.5",
    weight: 2000,
    passes: ({ effective, seccomp }) =>
      effective === undefined || seccomp === undefined
        ? undefined
        : seccomp !== 0 || (effective & bit("SYS_ADMIN")) === 0n || (effective & bit("SYS_MODULE")) === 0n,
  },
  { id: "seccomp", title: "may make every system call", dockerBench: "5.22", weight: 1000, passes: ({ seccomp }) => known(seccomp, (mode) => mode !== 0) },
  {
    id: "no-new-privileges",
    title: "may gain privileges by set-user-id programs",
    dockerBench: "5.26",
    weight: 1000,
    passes: ({ noNewPrivileges }) => noNewPrivileges,
  },
  {
    id: "mandatory-access",
    title: "is confined by neither AppArmor nor SELinux",
    dockerBench: "5.2",
    weight: 1000,
    passes: ({ label }) => known(label, (text) => text !== "" && !text.startsWith("unconfined")),
  },
  {
    id: "read-only-root",
    title: "can write to its root file system",
    dockerBench: "5.13",
    weight: 500,
    passes: (facts) => mountsOf(facts, (all) => covering(all, "/")?.writable === false),
  },
  {
    id: "sensitive-directories",
    title: "has the host's directories writable",
    dockerBench: "5.6",
    weight: 1000,
    passes: (facts) => {
      const own = apart("mnt")(facts);
      if (own === undefined) return undefined;
      return (
        own && mountsOf(facts, (all) => all.every(({ at, writable, type }) => !writable || type === "tmpfs" || type === "devtmpfs" || !SENSITIVE.includes(at)))
      );
    },
  },
  {
    id: "proc-sys",
    title: "has /proc/sys writable",
    weight: 1000,
    passes: (facts) => mountsOf(facts, (all) => covering(all, "/proc/sys")?.writable === false),
  },
  {
    id: "propagation",
    title: "has mounts that propagate to the host",
    dockerBench: "5.20",
    weight: 500,
    passes: (facts) => mountsOf(facts, (all) => !all.some(({ shared }) => shared)),
  },
  {
    id: "runtime-socket",
    title: "can reach a container runtime's socket",
    dockerBench: "5.32",
    weight: 2000,
    passes: ({ runtimeSocket }) => known(runtimeSocket, (found) => !found),
  },
  {
    id: "devices",
    title: "sees the host's devices",
    dockerBench: "5.18",
    weight: 1000,
    passes: (facts) => mountsOf(facts, (all) => covering(all, "/dev")?.type === "tmpfs"),
  },
  { id: "network", title: "shares the host's network", dockerBench: "5.10", weight: 2500, passes: apart("net") },
  { id: "pid-namespace", title: "sees the host's processes", dockerBench: "5.16", weight: 1000, passes: apart("pid") },
  { id: "ipc-namespace", title: "shares the host's IPC", dockerBench: "5.17", weight: 500, passes: apart("ipc") },
  { id: "uts-namespace", title: "shares the host's name", dockerBench: "5.21", weight: 100, passes: apart("uts") },
  { id: "cgroup-namespace", title: "sees the host's cgroups", dockerBench: "5.25", weight: 100, passes: apart("cgroup") },
  { id: "mount-namespace", title: "shares the host's mounts", dockerBench: "5.6", weight: 500, passes: apart("mnt") },
  { id: "root-cgroup", title: "is in the root cgroup", dockerBench: "5.25", weight: 500, passes: ({ inRootCgroup }) => known(inRootCgroup, (is) => !is) },
  { id: "memory", title: "has no limit of memory", dockerBench: "5.11", weight: 1000, passes: ({ limited }) => limited.memory },
  { id: "swap", title: "has no limit of swap", dockerBench: "5.11", weight: 200, passes: ({ limited }) => limited.swap },
  { id: "cpu", title: "has no limit of CPU", dockerBench: "5.12", weight: 500, passes: ({ limited }) => limited.cpu },
  { id: "pids", title: "has no limit of processes", dockerBench: "5.29", weight: 1000, passes: ({ limited }) => limited.pids },
  {
    id: "rlimit-files",
    title: "has no limit of open files",
    dockerBench: "5.19",
    weight: 100,
    passes: ({ limits }) => known(limits, ({ files }) => files <= 1_048_576),
  },
  {
    id: "rlimit-processes",
    title: "its user has no limit of processes",
    dockerBench: "2.8",
    weight: 100,
    passes: ({ limits }) => known(limits, ({ processes }) => processes !== Number.POSITIVE_INFINITY),
  },
  {
    id: "rlimit-core",
    title: "may write core dumps of any size",
    weight: 100,
    passes: ({ limits }) => known(limits, ({ core }) => core !== Number.POSITIVE_INFINITY),
  },
  {
    id: "sshd",
    title: "is an SSH server in a container",
    dockerBench: "5.7",
    weight: 500,
    passes: (facts) => known(facts.commandLine, (line) => !(/(^|\/)sshd\b/.test(line) && apart("pid")(facts) === true)),
  },
  {
    id: "oom-score",
    title: "is spared when memory runs out (oom_score_adj below 0)",
    weight: 100,
    passes: ({ oomScoreAdj }) => known(oomScoreAdj, (score) => score >= 0),
  },
  {
    id: "program",
    title: "runs a program that was deleted, or is only in memory",
    weight: 1000,
    passes: ({ exe }) => known(exe, (path) => !/ \(deleted\)$|^\/memfd:/.test(path)),
  },
  { id: "traced", title: "is traced by another process", weight: 500, passes: ({ traced }) => known(traced, (is) => !is) },
  {
    id: "secrets",
    title: "has variables that look like secrets",
    dockerBench: "4.10",
    weight: 500,
    passes: ({ secretVariables }) => known(secretVariables, (names) => names.length === 0),
  },
];
