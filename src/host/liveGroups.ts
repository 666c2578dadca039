/** Knows how to read a live cgroup, and all below it, as the groups that they are: every limit that is not the kernel's default. */
import type { FileEntry, Machine } from "../cgroup/machine.ts";
import type { ConfiguredGroup } from "../import/cgconfig.ts";
import type { CgroupFiles } from "./cgroupfs.ts";

/** So many cgroups, and so deep, are read. */
const [MOST, DEEPEST] = [10_000, 32];

/** `path`: from the mount on, without its first slash. Empty where there is no such cgroup. */
export function liveGroups(files: CgroupFiles, { controllers: { all }, tables, inherited }: Machine, path: string): ConfiguredGroup[] {
  const groups = new Map<string, Map<string, ReadonlyMap<string, string>>>();
  for (const { id, mount, version } of all) {
    const table = tables.get(id) ?? [];
    const visit = (here: string, depth: number): void => {
      const children = files.children(`${mount}/${here}`);
      if (children === undefined || groups.size >= MOST || depth > DEEPEST) return;
      const values = groups.get(here) ?? new Map<string, ReadonlyMap<string, string>>();
      groups.set(here, values);
      const above = here.includes("/") ? here.slice(0, here.lastIndexOf("/")) : "";
      for (const entry of table) {
        const set = setIn(files.read(`${mount}/${here}/${entry.file.name}`), entry);
        // What a cgroup of v1 has from the one above is no limit of its own.
        const handedDown = version === 1 && inherited.has(entry.file.name) && set.get("") === files.read(`${mount}/${above}/${entry.file.name}`)?.trim();
        if (set.size > 0 && !handedDown) values.set(entry.file.name, set);
      }
      for (const name of children) visit(`${here}/${name}`, depth + 1);
    };
    visit(path, 0);
  }
  return [...groups].map(([at, values]) => ({ path: at, line: 0, values }));
}

/** Canonical values that are not the default. Of memory and swap together the one without the other means nothing. */
function setIn(text: string | undefined, { file, knob }: FileEntry): ReadonlyMap<string, string> {
  if (text === undefined || knob === "frozen") return new Map();
  return new Map(file.entries(text).filter(([key, value]) => value !== file.initial(key) && value !== ""));
}
