/** Knows a host as one file: all that a look needs to be had again elsewhere, without root. No secrets: no variables, no arguments of commands, no contents of files that manifests name. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import type { ProcessFacts } from "../audit/facts.ts";
import type { AccountFact, DeviceFact, Machine } from "../cgroup/machine.ts";
import type { AppliedObject } from "../plan/applied.ts";
import type { MemberRecord, ObservedProcess } from "../plan/hostProcess.ts";
import type { LedgerEntry } from "../plan/ledger.ts";
import type { ObservedAttempt, ReplicaRecord } from "../plan/observed.ts";
import { findAccount } from "./accounts.ts";
import { findDevice } from "./devices.ts";
import { confinementFacts } from "./engine.ts";
import type { Host } from "./host.ts";
import { inspect } from "./inspect.ts";
import { attempt, directoriesIn, textIn } from "./optional.ts";
import { readJson, textOf } from "./records.ts";

export interface HostSnapshot {
  readonly format: 1;
  readonly version: string;
  readonly time: string;
  readonly hostname: string;
  readonly root: string;
  /** The cgroup mounts, as /proc/self/mountinfo has them. */
  readonly mountinfo: string;
  readonly base: Pick<Machine, "pageSize" | "bootId" | "systemd">;
  /** Texts of cgroup files, by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly directories: Readonly<Record<string, { readonly children: readonly string[]; readonly inode: string }>>;
  readonly processes: readonly CapturedProcess[];
  readonly attempts: readonly ObservedAttempt[];
  readonly records: readonly (readonly [string, ReplicaRecord])[];
  readonly memberships: readonly MemberRecord[];
  readonly ledger: readonly LedgerEntry[];
  readonly applied: readonly (readonly [string, AppliedObject])[];
  readonly accounts: readonly (readonly [string, AccountFact])[];
  readonly devices: readonly (readonly [string, DeviceFact])[];
  readonly confinement: Machine["confinement"];
  readonly images: readonly string[];
}

/** Of the command line only the program is there. */
interface CapturedProcess extends Omit<ObservedProcess, "exe" | "commandLine"> {
  readonly exe: string | undefined;
  readonly facts: ProcessFacts;
}

/** Files beside those of the tables that a look reads. */
const MORE = [
  "cgroup.controllers",
  "cgroup.subtree_control",
  "cgroup.procs",
  "cgroup.events",
  "memory.current",
  "memory.events",
  "memory.oom_control",
  "memory.pressure",
];
const EFFECTIVE = ["cpuset.cpus.effective", "cpuset.mems.effective"];

/** What the host is now. */
export function capture(host: Host, version: string): HostSnapshot {
  const { base, files, tree, records, members, images, options } = host;
  const [texts, directories]: [Record<string, string>, Record<string, { children: string[]; inode: string }>] = [{}, {}];
  const keep = (file: string): void => {
    const text = attempt(() => files.read(file));
    if (text !== undefined) texts[file] = text;
  };
  keep("/proc/pressure/memory");
  for (const { id, mount } of base.controllers.all) {
    const names = [...new Set([...MORE, ...EFFECTIVE, ...(base.tables.get(id) ?? []).flatMap(({ file }) => [file.name, file.readFrom ?? file.name])])];
    const visit = (directory: string): void => {
      const inode = attempt(() => String(statSync(directory, { bigint: true }).ino));
      if (inode === undefined) return;
      const children = directoriesIn(directory) ?? [];
      directories[directory] = { children, inode };
      for (const name of names) keep(`${directory}/${name}`);
      for (const child of children) visit(`${directory}/${child}`);
    };
    visit(mount);
  }
  const { tables: _, controllers, inherited: __, ...facts } = base;
  const processes = [...host.table.look().values()].map(
    ({ exe, commandLine, ...process }): CapturedProcess => ({
      ...process,
      exe: exe(),
      facts: { ...inspect(process.pid, process.comm, {}, undefined), commandLine: commandLine().split(" ")[0] },
    }),
  );
  return {
    format: 1,
    version,
    time: new Date().toISOString(),
    hostname: hostname(),
    root: tree.root,
    mountinfo: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => / - cgroup2? /.test(line))
      .join("\n"),
    base: { pageSize: facts.pageSize, bootId: facts.bootId, systemd: facts.systemd },
    files: texts,
    directories,
    processes,
    // The programs that a workload is started through, without their words: variables may be among them.
    attempts: host.processes.attempts().map(({ meta, ...attempt }) => ({
      ...attempt,
      meta: meta && { ...meta, ...(meta.wrap ? { wrap: meta.wrap.map(([tool = ""]) => [tool]) } : {}) },
    })),
    records: records.list().flatMap((id) => {
      const record = records.read(id);
      return record ? [[id, withoutSecrets(record)] as const] : [];
    }),
    memberships: [...members.all().values()],
    ledger: [...host.ledger.all().values()],
    applied: (readJson(`${options.runDirectory}/status.json`) as { applied?: HostSnapshot["applied"] } | undefined)?.applied ?? [],
    accounts: accountsNow(),
    devices: disksNow().map((name) => [name, findDevice(name)] as const),
    confinement: confinementFacts(controllers, new Set()),
    images: images.list(),
  };
}

/** Hooks and probes have commands and headers. */
const withoutSecrets = ({ current, before: _, ...record }: ReplicaRecord): ReplicaRecord => {
  if (!current) return record;
  const { probes: __, preStop: ___, ...rest } = current;
  return { ...record, current: rest };
};

const namesIn = (database: string): string[] =>
  textOf(`/etc/${database}`)
    .split("\n")
    .flatMap((line) => (line.includes(":") ? [line.slice(0, line.indexOf(":"))] : []));

const accountsNow = (): [string, AccountFact][] =>
  [...namesIn("passwd").map((name) => `user:${name}`), ...namesIn("group").map((name) => `group:${name}`)].map((mention) => [mention, findAccount(mention)]);

/** Disks by their nodes and numbers. */
const disksNow = (): string[] =>
  (attempt(() => readdirSync("/sys/block")) ?? []).flatMap((name) => {
    const number = textIn(`/sys/block/${name}/dev`)?.trim();
    return [`/dev/${name.replaceAll("!", "/")}`, ...(number === undefined ? [] : [number])];
  });

/** What JSON has no word for: maps, sets, large numbers and infinity. */
export const encodeSnapshot = (snapshot: HostSnapshot): string =>
  JSON.stringify(snapshot, (_, value: unknown) => {
    if (value instanceof Map) return { $map: [...value] };
    if (value instanceof Set) return { $set: [...value] };
    if (typeof value === "bigint") return { $bigint: String(value) };
    return value === Number.POSITIVE_INFINITY ? { $infinity: true } : value;
  });

type Shape = (value: unknown) => boolean;
const isText: Shape = (value) => typeof value === "string";
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
const listOf =
  (is: Shape): Shape =>
  (value) =>
    Array.isArray(value) && value.every(is);
const mapOf =
  (is: Shape): Shape =>
  (value) =>
    isObject(value) && !Array.isArray(value) && Object.values(value).every(is);
const isPair: Shape = (value) => Array.isArray(value) && value.length === 2 && isText(value[0]) && isObject(value[1]);
const has =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([name, is]) => is((value as Record<string, unknown>)[name]));

/** Of what a look goes by; who has damaged a file on purpose has damaged only his own look. */
const SHAPES: Partial<Record<keyof HostSnapshot, Shape>> = {
  root: isText,
  mountinfo: isText,
  hostname: isText,
  base: has({ bootId: isText, pageSize: (value) => typeof value === "number" }),
  files: mapOf(isText),
  directories: mapOf(has({ children: listOf((name) => isText(name) && !/^\.{0,2}$|\//.test(name as string)), inode: isText })),
  processes: listOf(has({ pid: Number.isInteger, comm: isText, cgroups: (value) => value instanceof Map, facts: isObject })),
  attempts: listOf(has({ id: isText, replica: isText })),
  records: listOf(isPair),
  memberships: listOf(isObject),
  ledger: listOf(has({ path: isText, hierarchy: isText, file: isText })),
  applied: listOf(isPair),
  accounts: listOf(isPair),
  devices: listOf(isPair),
  images: listOf(isText),
};

/** Throws where the text is no snapshot. */
export function decodeSnapshot(text: string): HostSnapshot {
  const found = JSON.parse(text, (_, value: unknown) => {
    if (typeof value !== "object" || value === null) return value;
    const { $map, $set, $bigint, $infinity } = value as Record<string, unknown>;
    if (Array.isArray($map)) return new Map($map as [unknown, unknown][]);
    if (Array.isArray($set)) return new Set($set as unknown[]);
    if (typeof $bigint === "string") return BigInt($bigint);
    return $infinity === true ? Number.POSITIVE_INFINITY : value;
  }) as Partial<HostSnapshot> | null;
  if (found?.format !== 1) throw new Error("it is no snapshot of holdfast capture");
  for (const [field, is] of Object.entries(SHAPES))
    if (!is(found[field as keyof HostSnapshot])) throw new Error(`it is damaged: ${field} is not what it should be`);
  return found as HostSnapshot;
}
