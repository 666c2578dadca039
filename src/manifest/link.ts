/** Knows how objects belong together: unique names, references that lead somewhere, no cycles; and what stays in force. */
import type { Problem } from "../api/problem.ts";
import { type LimitGroupResource, LONGEST_PATH, type ObjectKey, type Resource } from "../api/resource.ts";
import { locate } from "./locate.ts";
import type { ReadFile } from "./read.ts";
import { suggest } from "./suggest.ts";

/** The objects in force. */
export interface Manifests {
  readonly resources: ReadonlyMap<ObjectKey, Resource>;
  readonly problems: readonly Problem[];
  /** True while anything is broken or missing: what is not declared must then not be taken for deleted. */
  readonly held: boolean;
}

export const NO_MANIFESTS: Manifests = { resources: new Map(), problems: [], held: true };

const refField = (resource: Resource): string => (resource.kind === "LimitGroup" ? "/spec/parentRef/name" : "/spec/limitGroupRef/name");

/**
 * Links what was read. Law 6: a broken manifest never looks like a deleted one. A document that is broken, a duplicate,
 * or refers to nothing leaves what `previous` had in force where it was, and holds all pruning.
 */
export function link(files: readonly ReadFile[], previous: Manifests = NO_MANIFESTS): Manifests {
  const problems: Problem[] = files.flatMap((file) => [...(file.problem ? [file.problem] : []), ...file.documents.flatMap((document) => document.problems)]);
  const declared = new Map<ObjectKey, Resource[]>();
  const brokenFiles = new Set<string>();
  const brokenKeys = new Set<string>();
  for (const file of files) {
    if (file.problem) brokenFiles.add(file.path);
    for (const { resource, key } of file.documents) {
      if (!resource && key) brokenKeys.add(key);
      if (!resource) brokenFiles.add(file.path);
      else declared.set(resource.key, [...(declared.get(resource.key) ?? []), resource]);
    }
  }
  for (const { path, lingering = [] } of files) {
    for (const resource of lingering) {
      // What is declared elsewhere has moved there.
      const now = declared.get(resource.key);
      if (!now || (now.length === 1 && now[0]?.origin.file === path)) declared.set(resource.key, [resource]);
    }
  }
  const resources = new Map<ObjectKey, Resource>();
  const keepPrevious = (key: ObjectKey): boolean => {
    const last = previous.resources.get(key);
    if (last) resources.set(key, last);
    return last !== undefined;
  };
  for (const [key, [first, ...others]] of declared) {
    if (!first) continue;
    if (others.length === 0) resources.set(key, first);
    else {
      problems.push(...duplicates([first, ...others]));
      keepPrevious(key);
    }
  }
  // What cannot be read may be a directory: then all that was below it stays.
  const unread = (file: string): boolean => brokenFiles.has(file) || [...brokenFiles].some((broken) => file.startsWith(`${broken}/`));
  for (const [key, last] of previous.resources) {
    if (!declared.has(key) && brokenFiles.size > 0 && (brokenKeys.has(key) || unread(last.origin.file))) resources.set(key, last);
  }
  // A group that is brought back may stand below one that now stands below it: until nothing is loose, look for circles.
  for (let loose = true; loose; ) {
    problems.push(...breakCycles(resources, keepPrevious), ...tooLong(resources));
    loose = settleReferences(resources, previous, brokenKeys, problems);
  }
  return { resources, problems, held: problems.length > 0 };
}

/** An object as it was, and as it is. */
export interface Edit {
  readonly before: Resource;
  readonly after: Resource;
}

/**
 * The short way for the edit of one file: when nothing was broken, and its objects keep their names and places, the others
 * need not be linked again. Tells the objects that are new, which stand in `manifests` then (a copy of thousands would take
 * longer than all the rest); undefined, and nothing done, when all must be linked.
 */
export function amend(manifests: Manifests, before: ReadFile, after: ReadFile): readonly Edit[] | undefined {
  if (
    manifests.held ||
    manifests.problems.length > 0 ||
    before.problem ||
    after.problem ||
    before.lingering ||
    after.lingering ||
    before.documents.length !== after.documents.length
  )
    return undefined;
  const edits: Edit[] = [];
  for (const [index, { resource }] of after.documents.entries()) {
    const old = before.documents[index]?.resource;
    if (resource === undefined || resource.key !== old?.key || resource.parent !== old.parent || manifests.resources.get(resource.key) !== old)
      return undefined;
    if (resource !== old) edits.push({ before: old, after: resource });
  }
  const resources = manifests.resources as Map<ObjectKey, Resource>;
  for (const edit of edits) resources.set(edit.after.key, edit.after);
  return edits;
}

function duplicates(all: readonly Resource[]): Problem[] {
  const places = all.map((resource) => locate(resource.origin, "/metadata/name"));
  return all.map((resource, index) => {
    const others = places.filter((_, other) => other !== index).map(({ file, line }) => `${file}:${line}`);
    return {
      reason: "DuplicateName",
      object: resource.key,
      pointer: "/metadata/name",
      message: `expected one ${resource.key}, found another at ${others.join(" and ")}`,
      hint: "rename or remove one; until then what was in force stays",
      ...(places[index] ?? locate(resource.origin, "")),
    };
  });
}

const groupOf = (resources: ReadonlyMap<ObjectKey, Resource>, name: string): LimitGroupResource | undefined =>
  resources.get(`LimitGroup/${name}`) as LimitGroupResource | undefined;

/** Takes the members of parentRef cycles out (or back to what they were), and says the cycle as a path. */
function breakCycles(resources: Map<ObjectKey, Resource>, keepPrevious: (key: ObjectKey) => boolean): Problem[] {
  const problems: Problem[] = [];
  const settled = new Set<ObjectKey>();
  for (const start of [...resources.values()]) {
    const path: Resource[] = [];
    let here: Resource | undefined = start;
    while (here && !settled.has(here.key) && !path.includes(here)) {
      path.push(here);
      here = here.parent === undefined ? undefined : groupOf(resources, here.parent);
    }
    for (const { key } of path) settled.add(key);
    const from = here ? path.indexOf(here) : -1;
    if (from < 0) continue;
    const cycle = path.slice(from);
    const names = [...cycle, cycle[0]].map((member) => member?.name).join(" → ");
    for (const member of cycle) {
      problems.push({
        reason: "ReferenceCycle",
        object: member.key,
        pointer: "/spec/parentRef/name",
        message: `expected a tree, found the cycle ${names}`,
        ...locate(member.origin, "/spec/parentRef/name"),
      });
      resources.delete(member.key);
      keepPrevious(member.key);
    }
  }
  return problems;
}

/** Takes out what is nested so deep that its path is longer than the kernel takes. */
function tooLong(resources: Map<ObjectKey, Resource>): Problem[] {
  const problems: Problem[] = [];
  const lengths = new Map<string, number>();
  const lengthOf = ({ name, kind, parent }: Resource): number => {
    const above = parent === undefined ? undefined : groupOf(resources, parent);
    const own = name.length + (kind === "Workload" ? "@9999".length : 0);
    const length = above ? (lengths.get(above.name) ?? lengthOf(above)) + 1 + own : own;
    if (kind === "LimitGroup") lengths.set(name, length);
    return length;
  };
  for (const resource of resources.values()) {
    const length = lengthOf(resource);
    if (length <= LONGEST_PATH) continue;
    problems.push({
      reason: "InvalidValue",
      object: resource.key,
      pointer: refField(resource),
      message: `expected a cgroup path of at most ${LONGEST_PATH} characters, found ${length}`,
      hint: "nest it less deep, or give the groups above shorter names",
      ...locate(resource.origin, refField(resource)),
    });
  }
  for (const { object } of problems) resources.delete(object as ObjectKey);
  return problems;
}

/** Reports references to nothing; true when there were any. The referrer stays while the group that it means was in force; else it waits. */
function settleReferences(resources: Map<ObjectKey, Resource>, previous: Manifests, brokenKeys: ReadonlySet<string>, problems: Problem[]): boolean {
  let loose = false;
  for (let again = true; again; ) {
    again = false;
    for (const resource of [...resources.values()]) {
      if (resource.parent === undefined || resources.has(`LimitGroup/${resource.parent}`)) continue;
      again = true;
      loose = true;
      const names = [...resources.values()].filter(({ kind }) => kind === "LimitGroup").map(({ name }) => name);
      const last = groupOf(previous.resources, resource.parent);
      if (last) resources.set(last.key, last);
      else resources.delete(resource.key);
      // The group is declared, and what is wrong with it was told: that is enough.
      if (brokenKeys.has(`LimitGroup/${resource.parent}`)) continue;
      const hint = last ? "the group as it was stays in force" : suggest(resource.parent, names);
      problems.push({
        reason: "ReferenceNotFound",
        object: resource.key,
        pointer: refField(resource),
        message: `expected the name of a LimitGroup, found no LimitGroup ${resource.parent}`,
        ...locate(resource.origin, refField(resource)),
        ...(hint ? { hint } : {}),
      });
    }
  }
  return loose;
}
