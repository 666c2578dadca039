/** Knows what a machine offers: its hierarchies with their kernel files, page size, disks. Facts, gathered by host/. */
import type { LimitName } from "../api/limits.ts";
import type { ConfinementFacts } from "../oci/engine.ts";
import type { Controllers, Hierarchy } from "./hierarchy.ts";
import { controllerOf, FREEZER, filesOfController, type Spelling, spellingOf, type TableEntry } from "./knobs.ts";

/** A disk as a manifest names it: its number, or why it is none. */
export type DeviceFact = { readonly number: string } | { readonly problem: string; readonly hint?: string };

/** The content of an env file, or why it cannot be read; undefined when it does not exist. */
export type EnvFileFact = { readonly variables: readonly (readonly [string, string])[] } | { readonly problem: string } | undefined;

/** A user or group of the machine's database, or why it is none. */
export type AccountFact =
  | { readonly uid: number; readonly gid: number | undefined; readonly groups: readonly number[]; readonly name?: string; readonly home?: string }
  | { readonly gid: number }
  | { readonly problem: string };

/** What must be looked up on the machine because manifests mention it. */
export interface Mentions {
  readonly devices: ReadonlySet<string>;
  readonly envFiles: ReadonlySet<string>;
  /** `user:backup`, `group:33`. */
  readonly accounts: ReadonlySet<string>;
  /** Files with seccomp profiles of confined workloads; undefined: no workload is confined. */
  readonly seccompProfiles: ReadonlySet<string> | undefined;
  /** Globs of cgroups that somebody else has made. */
  readonly governed: ReadonlySet<string>;
}

/** Cgroups of a glob, from the mount on: `/system.slice/nginx.service`. */
export interface FoundCgroups {
  /** Sorted. */
  readonly paths: readonly string[];
  /** Those that would be, but are Holdfast's own: roots, of this controller or another. */
  readonly own: readonly string[];
  /** Directories in which one may come or go. */
  readonly looked: readonly string[];
}

/** A kernel file, the limit (or `frozen`) it carries, and the controller whose presence brings it. */
export interface FileEntry extends Omit<TableEntry, "knob"> {
  readonly knob: LimitName | "frozen";
  /** "" for files that every cgroup has. */
  readonly controller: string;
}

export interface Machine {
  readonly controllers: Controllers;
  readonly pageSize: number;
  /** The files that Holdfast looks after, per hierarchy; observed texts stand in this order. */
  readonly tables: ReadonlyMap<string, readonly FileEntry[]>;
  /** Values of v1's root cgroups that children are given: cpuset lists, swappiness. */
  readonly inherited: ReadonlyMap<string, string>;
  readonly devices: ReadonlyMap<string, DeviceFact>;
  readonly envFiles: ReadonlyMap<string, EnvFileFact>;
  /** By `user:backup`, `group:33`. */
  readonly accounts: ReadonlyMap<string, AccountFact>;
  /** What there is of each glob. */
  readonly governed: ReadonlyMap<string, FoundCgroups>;
  /** Undefined: nobody asked. */
  readonly confinement: ConfinementFacts | undefined;
  /** systemd is PID 1. */
  readonly systemd: boolean;
  /** Why processes that Holdfast has not started cannot be moved by it; undefined: they can. */
  readonly noMembers: string | undefined;
  /** Why cgroups of others cannot be governed. */
  readonly noGoverning: string | undefined;
  /** Who the controller is. */
  readonly uid: number;
  /** Changes with every boot; pids and start times mean something within one boot only. */
  readonly bootId: string;
}

/** The files of each hierarchy, in the order of the knob table. */
export function tablesOf(controllers: Controllers): ReadonlyMap<string, readonly FileEntry[]> {
  return new Map(
    controllers.all.map((hierarchy) => {
      const files: FileEntry[] = [...hierarchy.offered].flatMap((controller) =>
        filesOfController(hierarchy.version, controller).map((entry) => ({ ...entry, controller })),
      );
      const freezable = hierarchy.version === 2 || hierarchy.offered.has("freezer");
      if (hierarchy === controllers.core && freezable) files.push({ file: FREEZER[hierarchy.version].file, knob: "frozen", controller: "" });
      return [hierarchy.id, files];
    }),
  );
}

const positions = new WeakMap<readonly FileEntry[], ReadonlyMap<string, number>>();

/** Where each file stands in a table. */
export function positionsIn(table: readonly FileEntry[]): ReadonlyMap<string, number> {
  const known = positions.get(table) ?? new Map(table.map(({ file }, index) => [file.name, index]));
  positions.set(table, known);
  return known;
}

/** The entry of a file in a table; undefined when the file is of another hierarchy. */
export function entryIn(table: readonly FileEntry[], name: string): FileEntry | undefined {
  const position = positionsIn(table).get(name);
  return position === undefined ? undefined : table[position];
}

/** How a limit is carried on this machine: controller, hierarchy and spelling; or what is missing. */
export type Placement =
  | { readonly hierarchy: Hierarchy; readonly controller: string; readonly spelling: Spelling }
  | { readonly missing: string; readonly hint: string };

const placements = new WeakMap<Controllers, Map<LimitName, Placement>>();

/** A controller is in a v1 hierarchy or in v2, never in both: a machine can mix them. */
export function placeOf(knob: LimitName, { controllers }: Pick<Machine, "controllers">): Placement {
  const known = placements.get(controllers) ?? new Map<LimitName, Placement>();
  placements.set(controllers, known);
  const placement = known.get(knob) ?? findPlace(knob, controllers);
  known.set(knob, placement);
  return placement;
}

function findPlace(knob: LimitName, controllers: Controllers): Placement {
  const hierarchy = controllers.all.find(({ version, offered }) => offered.has(controllerOf(knob, version)));
  const [v1, v2] = [controllerOf(knob, 1), controllerOf(knob, 2)];
  if (!hierarchy)
    return { missing: `this kernel offers no ${v2} controller to cgroups`, hint: "see /proc/cgroups and the kernel's command line (cgroup_disable=)" };
  const { version } = hierarchy;
  const spelling = spellingOf(knob, version);
  if (!spelling) {
    const file = spellingOf(knob, version === 1 ? 2 : 1)?.files[0]?.name ?? knob;
    const needed = version === 1 ? "a host with cgroup v2 (systemd.unified_cgroup_hierarchy=1)" : "a host with cgroup v1";
    return { missing: `the ${version === 1 ? v1 : v2} controller is on cgroup v${version} here, which has no ${file}`, hint: `needs ${needed}` };
  }
  if (!hierarchy.controllers.has(controllerOf(knob, version))) {
    return {
      missing: `the ${v2} controller of cgroup v2 is not handed down to Holdfast's root cgroup`,
      hint: `run under a systemd unit with Delegate=yes, or have the host's owner enable ${v2} in cgroup.subtree_control above the root`,
    };
  }
  return { hierarchy, controller: controllerOf(knob, version), spelling };
}
