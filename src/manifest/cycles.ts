/** Knows circles: groups inside of each other, workloads that wait for each other. Each is told as the path that it is. */
import type { Problem } from "../api/problem.ts";
import type { ObjectKey, Resource } from "../api/resource.ts";
import { locate } from "./locate.ts";

/** A reference, and where it stands in the one that refers. */
interface Reference {
  readonly to: ObjectKey;
  readonly pointer: string;
}

/** Where references may go round: from groups to the groups above them, from workloads to those that they wait for. */
const CHAINS: readonly { readonly expected: string; readonly next: (resource: Resource) => readonly Reference[] }[] = [
  {
    expected: "a tree",
    next: ({ kind, parent }) => (kind === "LimitGroup" && parent !== undefined ? [{ to: `LimitGroup/${parent}`, pointer: "/spec/parentRef/name" }] : []),
  },
  {
    expected: "an order of starts",
    next: (resource) =>
      resource.kind === "Workload"
        ? resource.run.dependsOn.map(({ name }, index) => ({ to: `Workload/${name}` as const, pointer: `/spec/dependsOn/${index}/name` }))
        : [],
  },
];

/** A circle of more members is told by its beginning. */
const MOST_NAMES = 12;

/**
 * Takes the members of circles out (or back to what they were), and says each circle as a path. What was may close another
 * circle with what is: each time fewer are left that are new, and what was has none.
 */
export function breakCycles(resources: Map<ObjectKey, Resource>, keepPrevious: (key: ObjectKey) => boolean): Problem[] {
  const problems: Problem[] = [];
  for (let found = breakThose(resources, keepPrevious); found.length > 0; found = breakThose(resources, keepPrevious)) problems.push(...found);
  return problems;
}

function breakThose(resources: Map<ObjectKey, Resource>, keepPrevious: (key: ObjectKey) => boolean): Problem[] {
  return CHAINS.flatMap(({ expected, next }) =>
    circles(resources, next).flatMap((circle) => {
      const names = circle.map(({ from }) => from.name);
      const shown = names.length > MOST_NAMES ? [...names.slice(0, MOST_NAMES), `… (${names.length} in all)`] : names;
      const path = [...shown, names[0]].join(" → ");
      return circle.map(({ from, pointer }) => {
        resources.delete(from.key);
        keepPrevious(from.key);
        return {
          reason: "ReferenceCycle" as const,
          object: from.key,
          pointer,
          message: `expected ${expected}, found the cycle ${path}`,
          ...locate(from.origin, pointer),
        };
      });
    }),
  );
}

interface Link {
  readonly from: Resource;
  readonly pointer: string;
}

/** Every circle once, as its links: a walk in depth, without recursion (chains may be long), that remembers what leads nowhere. */
function circles(resources: ReadonlyMap<ObjectKey, Resource>, next: (resource: Resource) => readonly Reference[]): Link[][] {
  const found: Link[][] = [];
  const settled = new Set<ObjectKey>();
  for (const start of resources.values()) {
    const path: { readonly from: Resource; readonly references: readonly Reference[]; at: number }[] = [];
    const depths = new Map<ObjectKey, number>();
    const enter = (from: Resource): void => {
      depths.set(from.key, path.length);
      path.push({ from, references: next(from), at: 0 });
    };
    if (!settled.has(start.key)) enter(start);
    for (let here = path.at(-1); here; here = path.at(-1)) {
      const target = resources.get(here.references[here.at++]?.to ?? ("" as ObjectKey));
      if (here.at > here.references.length) {
        settled.add(here.from.key);
        depths.delete(here.from.key);
        path.pop();
      } else if (target && depths.has(target.key))
        found.push(path.slice(depths.get(target.key)).map(({ from, references, at }) => ({ from, pointer: references[at - 1]?.pointer ?? "" })));
      else if (target && !settled.has(target.key)) enter(target);
    }
  }
  return found;
}
