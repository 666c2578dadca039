/** Knows who looks after what on this host, and how far each process is confined: what `audit` tells beyond drift. */
import { type Exposure, exposureOf } from "../audit/exposure.ts";
import { type Owner, ownerOf } from "../cgroup/owner.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { limitFinder } from "../host/inspect.ts";
import type { ObservedProcess } from "../plan/hostProcess.ts";
import type { Engine } from "./engine.ts";

export interface OwnedProcess {
  readonly pid: number;
  readonly comm: string;
  readonly cgroup: string;
  readonly exposure: Exposure;
}

export interface Owned {
  /** `Holdfast`, `the systemd unit cron.service`, `nobody` for the root cgroup. */
  readonly owner: string;
  /** `holder`: of Holdfast, outside of every limit (docs/operating.md). */
  readonly kind: Owner["kind"] | "holdfast" | "holder" | "nobody";
  /** A LimitGroup governs one of its cgroups. */
  readonly governed: boolean;
  readonly cgroups: readonly string[];
  readonly processes: readonly OwnedProcess[];
}

const HOLDFAST = { kind: "holdfast", words: "Holdfast" } as const;
const HOLDERS = { kind: "holder", words: "Holdfast's holders" } as const;

/** Whether nobody here has a say in its limits. */
export const isUnmanaged = ({ kind, governed }: Pick<Owned, "kind" | "governed">): boolean => kind !== "holdfast" && kind !== "holder" && !governed;

/** Everything on the host, Holdfast's own first, then by the number of processes. Reads only. */
export function ownership({ host, machine, desired }: Engine): Owned[] {
  const { all, core } = machine.controllers;
  const limited = limitFinder(host.files, machine.controllers);
  const owners = new Map<string, { -readonly [K in keyof Owned]: Owned[K] } & { cgroups: string[]; processes: OwnedProcess[] }>();
  const root = `/${host.tree.root}/`;
  const placeOf = ({ cgroups }: ObservedProcess): string => {
    const places = [core, ...all].map(({ id }) => cgroups.get(id) ?? "/");
    return places.find((place) => place.startsWith(root)) ?? places.find((place) => place !== "/") ?? "/";
  };
  for (const process of host.table.look().values()) {
    const place = placeOf(process);
    const owner = place.startsWith(root) ? (place.startsWith(`${root}.`) ? HOLDERS : HOLDFAST) : ownerOf(place, machine.systemd);
    const words = owner?.words ?? "nobody";
    const known = owners.get(words) ?? { owner: words, kind: owner?.kind ?? "nobody", governed: false, cgroups: [], processes: [] };
    owners.set(words, known);
    if (!known.cgroups.includes(place)) known.cgroups.push(place);
    known.governed ||= desired.cgroups.has(place as CgroupPath);
    const facts = host.inspect(process.pid, process.comm, limited(process.cgroups), place === "/");
    known.processes.push({ pid: process.pid, comm: process.comm, cgroup: place, exposure: exposureOf(facts) });
  }
  for (const { processes } of owners.values()) processes.sort((a, b) => b.exposure.most - a.exposure.most || a.pid - b.pid);
  const rank = ({ kind }: Owned): number => (kind === "holdfast" ? 0 : kind === "holder" ? 1 : 2);
  return [...owners.values()].sort((a, b) => rank(a) - rank(b) || b.processes.length - a.processes.length);
}
