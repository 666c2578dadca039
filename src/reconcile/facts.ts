/** Knows what is on the machine of what manifests mention: disks, env files, accounts. */
import type { Machine } from "../cgroup/machine.ts";
import type { Host } from "../host/host.ts";
import { isBeingWritten } from "../host/watchFiles.ts";
import type { Manifests } from "../manifest/link.ts";
import { mentions } from "../plan/desire.ts";
import { same } from "../plan/same.ts";

/** Looks all of it up. A file that somebody may be writing says what it said `before`: half of it must restart nothing. */
export function factsFor(host: Host, { resources }: Manifests, before: Machine): Machine {
  const machine = host.machine(mentions(resources.values()));
  const envFiles = new Map(machine.envFiles);
  for (const file of envFiles.keys()) if (before.envFiles.has(file) && isBeingWritten(file)) envFiles.set(file, before.envFiles.get(file));
  const { confinement } = machine;
  if (!confinement) return { ...machine, envFiles };
  const known = before.confinement?.seccompProfiles ?? {};
  const profiles = Object.entries(confinement.seccompProfiles).map(([file, now]) => [file, (isBeingWritten(file) && known[file]) || now] as const);
  return { ...machine, envFiles, confinement: { ...confinement, seccompProfiles: Object.fromEntries(profiles) } };
}

const governedIn = ({ governed }: Machine) => [...governed].map(([glob, { paths, own }]) => [glob, paths, own]);

export function sameFacts(one: Machine, other: Machine): boolean {
  const kinds = ["devices", "envFiles", "accounts"] as const;
  return kinds.every((kind) => same([...one[kind]], [...other[kind]])) && same(governedIn(one), governedIn(other)) && same(one.confinement, other.confinement);
}
