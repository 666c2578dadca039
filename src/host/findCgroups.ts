/** Knows which cgroups there are of a glob, in any hierarchy; none of Holdfast's own. */
import { globOf, isMany } from "../api/glob.ts";
import type { Controllers } from "../cgroup/hierarchy.ts";
import type { FoundCgroups } from "../cgroup/machine.ts";
import { directoriesIn } from "./optional.ts";
import { HOLDERS, LOCK_PREFIX } from "./tree.ts";

/** So many cgroups, and so deep, are looked at. */
const [MOST, DEEPEST] = [10_000, 32];

export function findCgroups(
  { all, core }: Pick<Controllers, "all" | "core">,
  root: string,
  glob: string,
  list: (directory: string) => readonly string[] | undefined = directoriesIn,
): FoundCgroups {
  const paths = new Set<string>();
  const looked = new Set<string>();
  const parts = glob.split("/").slice(1);
  const roots = new Map([[`/${root}`, true]]);
  const isRoot = (path: string): boolean => {
    const known = roots.get(path) ?? (list(`${core.mount}${path}`) ?? []).some((name) => name === HOLDERS || name.startsWith(LOCK_PREFIX));
    roots.set(path, known);
    return known;
  };
  for (const { mount } of all) {
    const visit = (path: string, rest: readonly string[]): void => {
      if (paths.size >= MOST || isRoot(path)) return;
      const [part, ...more] = rest;
      if (part === undefined) {
        paths.add(path);
        return;
      }
      looked.add(`${mount}${path}`);
      if (part === "**") {
        if (more.length === 0 && path !== "") paths.add(path);
        if (more.length > 0) visit(path, more);
        if (path.split("/").length <= DEEPEST) for (const name of list(`${mount}${path}`) ?? []) visit(`${path}/${name}`, rest);
      } else if (isLiteral(part)) {
        if (list(`${mount}${path}/${part}`)) visit(`${path}/${part}`, more);
      } else for (const name of list(`${mount}${path}`) ?? []) if (globOf(part)(name)) visit(`${path}/${name}`, more);
    };
    visit("", parts);
  }
  // Whatever way led there: what a glob means is said in one place.
  const fits = globOf(glob.slice(1));
  const own = [...roots].flatMap(([path, is]) => (is && `${glob}/`.startsWith(`${path}/`) ? [path] : []));
  return { own, paths: [...paths].filter((path) => fits(path.slice(1))).sort(), looked: [...looked] };
}

/** No character of a glob's own. */
const isLiteral = (part: string): boolean => !isMany(part) && !part.includes("\\");
