/** Knows which cgroup hierarchies there are: v1, v2 or any mix, per controller, from what the kernel lists. */

/** One mounted hierarchy. */
export interface Hierarchy {
  /** `cpu,cpuacct` on v1; `unified` for v2. */
  readonly id: string;
  readonly version: 1 | 2;
  readonly mount: string;
  /** The cgroup that is mounted there, as /proc/PID/cgroup names it (a container's own, where it has no namespace for them); empty for the root. */
  readonly outer: string;
  /** Controllers that cgroups below Holdfast's root can have. */
  readonly controllers: ReadonlySet<string>;
  /** Controllers that the kernel offers there; on v2 the cgroups above the root may not hand all of them down. */
  readonly offered: ReadonlySet<string>;
}

/** A cgroup mount as /proc/self/mountinfo lists it (proc(5)). */
export interface CgroupMount {
  readonly version: 1 | 2;
  readonly mount: string;
  readonly outer: string;
  /** v1: the controllers, or `name=systemd`; v2: empty. */
  readonly options: readonly string[];
  readonly writable: boolean;
}

const GENERIC_OPTIONS = new Set(["rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode"]);

/** The first mount of each hierarchy. */
export function parseMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const [type, , superOptions = ""] = right.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const fields = left.split(" ");
    const [outer = "", mount = ""] = [fields[3], fields[4]].map((field = "") =>
      field.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
    const options = type === "cgroup2" ? [] : superOptions.split(",").filter((option) => !GENERIC_OPTIONS.has(option) && !option.startsWith("release_agent="));
    const version = type === "cgroup2" ? 2 : 1;
    const writable = (fields[5] ?? "").split(",").includes("rw") && superOptions.split(",").includes("rw");
    if (!mounts.some((known) => known.version === version && known.options.join() === options.join()))
      mounts.push({ version, mount, outer: outer === "/" ? "" : outer, options, writable });
  }
  return mounts;
}

/** What a set of hierarchies can do, looked up by controller. */
export interface Controllers {
  readonly all: readonly Hierarchy[];
  /**
   * The hierarchy that tells and ends processes: v2 wherever it is mounted, also without controllers
   * (cgroup.events, cgroup.kill, cgroup.freeze work there), else v1's freezer, else pids, else the first.
   */
  readonly core: Hierarchy;
}

export function controllersOf(all: readonly Hierarchy[]): Controllers | undefined {
  const usable = all.filter((hierarchy) => hierarchy.version === 2 || ![...hierarchy.offered].some((name) => name.startsWith("name=")));
  const core =
    usable.find(({ version }) => version === 2) ??
    usable.find(({ offered }) => offered.has("freezer")) ??
    usable.find(({ offered }) => offered.has("pids")) ??
    usable[0];
  return core && { all: usable, core };
}

/** Id of the v2 hierarchy, the one in which controllers are handed down (cgroup.subtree_control). */
export const UNIFIED = "unified";

/** Whether the kernel tells when a cgroup's last process ends (cgroup.events). */
export function tellsOfEnds({ core }: Controllers): boolean {
  return core.version === 2;
}

/** Whether processes can be signalled while they are frozen, so that none of their pids can be another's meanwhile. */
export function endsSafely({ core }: Controllers): boolean {
  return core.version === 2 || core.offered.has("freezer");
}

/** Where the devices that processes may use are told; on v2 that is no file, but a program that is loaded into the cgroup. */
export function deviceHierarchy({ all }: Controllers): Hierarchy | undefined {
  return all.find(({ version, offered }) => version === 1 && offered.has("devices"));
}

/** `cgroup v1 (cpu memory pids) and cgroup v2`. */
export function inWords({ all }: Controllers, inUse: (hierarchy: Hierarchy) => boolean): string {
  const v1 = all.filter((hierarchy) => hierarchy.version === 1 && inUse(hierarchy)).map(({ id }) => id);
  const unified = all.find(({ version }) => version === 2);
  const handedDown = unified && unified.controllers.size > 0 ? ` (${[...unified.controllers].join(" ")})` : "";
  return [...(v1.length > 0 ? [`cgroup v1 (${v1.join(" ")})`] : []), ...(unified ? [`cgroup v2${handedDown}`] : [])].join(" and ");
}
