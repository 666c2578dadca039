/** Knows what "desired" is: cgroups by path with the exact settings of this machine's kernel files, and replicas to run. */
import type { Problem } from "../api/problem.ts";
import type { LimitGroupResource, ObjectKey, Resource, WorkloadResource } from "../api/resource.ts";
import type { Setting } from "../cgroup/knobs.ts";
import type { Owner } from "../cgroup/owner.ts";
import { ancestorsOf, type CgroupPath, replicaName } from "../cgroup/path.ts";
import type { Container } from "../oci/config.ts";

export interface DesiredCgroup {
  readonly path: CgroupPath;
  /** The object that declares it; undefined for Holdfast's root, whose own limits are its owner's business. */
  readonly owner: Resource | undefined;
  /** Ids of the hierarchies in which it must have a directory. */
  readonly hierarchies: ReadonlySet<string>;
  /** v2 controllers that its children need in its cgroup.subtree_control. */
  readonly enable: ReadonlySet<string>;
  /** What is declared, and what must be inherited on v1: file name to key to setting. Everything else is at its default. */
  readonly settings: ReadonlyMap<string, ReadonlyMap<string, Setting>>;
  /** It is somebody else's: only what is declared is compared and written. */
  readonly governed?: Governed;
  /** True while it, or a group above it, is declared frozen: nothing can start inside. */
  readonly frozen: boolean;
}

interface Governed {
  /** The systemd unit by which its limits are set; undefined: they are written to the kernel's files. */
  readonly unit: string | undefined;
  readonly owner: Owner | undefined;
  /** Nothing is written, nor restored: two objects want it, or it is the kubelet's. */
  readonly untouchable: boolean;
}

/** One copy of a workload. */
export interface DesiredReplica {
  /** `web@0`. */
  readonly id: string;
  readonly path: CgroupPath;
  readonly resource: WorkloadResource;
  readonly ordinal: number;
  readonly argv: readonly string[];
  readonly initCommands: readonly { readonly name: string; readonly argv: readonly string[] }[];
  readonly env: readonly (readonly [name: string, value: string])[];
  /** Programs through which it is started, each with its options. */
  readonly wrap: readonly (readonly string[])[];
  /** How it is confined; undefined: it is a plain process of the host. */
  readonly container: Container | undefined;
  /** Digest of everything that the process is started with: another digest means another revision. */
  readonly revision: string;
  /** Why it cannot be started now. */
  readonly obstacle: string | undefined;
}

/** Ids of a workload's replicas, in their order. */
export const replicaIds = ({ name, run }: WorkloadResource): string[] => Array.from({ length: run.replicas }, (_, ordinal) => replicaName(name, ordinal));

/** The rules of a group, and where the processes that they draw in shall be. */
export interface DesiredMembers {
  readonly path: CgroupPath;
  readonly group: LimitGroupResource;
  readonly hierarchies: readonly string[];
}

export interface Desired {
  readonly cgroups: ReadonlyMap<CgroupPath, DesiredCgroup>;
  readonly replicas: ReadonlyMap<string, DesiredReplica>;
  /** In the order in which they are asked. */
  readonly members: readonly DesiredMembers[];
  readonly resources: ReadonlyMap<ObjectKey, Resource>;
  readonly problems: readonly Problem[];
  /** Manifests are broken or missing somewhere: what is not declared is left alone. */
  readonly held: boolean;
}

/** The replicas of a workload that are desired, in their order. */
export const replicasOf = ({ replicas }: Pick<Desired, "replicas">, workload: WorkloadResource): DesiredReplica[] =>
  replicaIds(workload).flatMap((id) => replicas.get(id) ?? []);

const owned = new WeakMap<Desired["cgroups"], ReadonlyMap<ObjectKey, readonly CgroupPath[]>>();

/** The outermost cgroups of each object, which tell and limit what is below them too (a group's members, what a glob finds inside of what it finds); worked out once. */
export function pathsByOwner({ cgroups }: Pick<Desired, "cgroups">): ReadonlyMap<ObjectKey, readonly CgroupPath[]> {
  const known = owned.get(cgroups);
  if (known) return known;
  const found = new Map<ObjectKey, CgroupPath[]>();
  for (const [path, { owner }] of cgroups) {
    if (!owner || ancestorsOf(path).some((above) => cgroups.get(above)?.owner?.key === owner.key)) continue;
    const list = found.get(owner.key);
    if (list) list.push(path);
    else found.set(owner.key, [path]);
  }
  owned.set(cgroups, found);
  return found;
}
