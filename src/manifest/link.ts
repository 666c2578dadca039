/** Knows how objects belong together: unique names, references that lead somewhere, no cycles; and what stays in force. */
import type { Problem } from "../api/problem.ts";
import { type LimitGroupResource, LONGEST_PATH, type ObjectKey, type Origin, type Resource } from "../api/resource.ts";
import { breakCycles } from "./cycles.ts";
import { settleDependencies } from "./dependencies.ts";
import { locate } from "./locate.ts";
import type { ReadDocument, ReadFile } from "./read.ts";
import { notFound } from "./references.ts";

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
  const broken: ReadDocument[] = [];
  /** Files in which anything may have stood that cannot be read now. */
  const unknown = new Set<string>();
  for (const file of files) {
    if (file.problem) brokenFiles.add(file.path);
    if (file.problem) unknown.add(file.path);
    for (const document of file.documents) {
      const { resource, key } = document;
      if (!resource && key) brokenKeys.add(key);
      if (!resource && !key) unknown.add(file.path);
      if (!resource) brokenFiles.add(file.path);
      if (!resource) broken.push(document);
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
    const elsewhere = broken.filter((document) => document.key === key);
    const before = previous.resources.get(key)?.origin.file;
    if (others.length > 0 || elsewhere.length > 0) {
      problems.push(...duplicates(key, [first, ...others, ...elsewhere]));
      keepPrevious(key);
    } else if (before !== undefined && before !== first.origin.file && unknown.has(before)) {
      problems.push(perhapsTwice(first, before));
      keepPrevious(key);
    } else resources.set(key, first);
  }
  // What cannot be read may be a directory: then all that was below it stays.
  const unread = (file: string): boolean => brokenFiles.has(file) || [...brokenFiles].some((broken) => file.startsWith(`${broken}/`));
  for (const [key, last] of previous.resources) {
    if (!declared.has(key) && brokenFiles.size > 0 && (brokenKeys.has(key) || unread(last.origin.file))) resources.set(key, last);
  }
  // A group that is brought back may stand below one that now stands below it: until nothing is loose, look for circles.
  for (let loose = true; loose; ) {
    problems.push(...breakCycles(resources, keepPrevious), ...tooLong(resources));
    const groups = settleReferences(resources, previous, brokenKeys, problems);
    settleGoverned(resources, keepPrevious, problems);
    const workloads = settleDependencies(resources, previous, brokenKeys, problems);
    loose = groups || workloads;
  }
  problems.push(...looseEnds(broken, resources, declared, brokenKeys));
  return { resources, problems, held: problems.length > 0 };
}

/** Nothing can be inside of a group that governs a cgroup of somebody else's. */
function settleGoverned(resources: Map<ObjectKey, Resource>, keepPrevious: (key: ObjectKey) => boolean, problems: Problem[]): void {
  for (const resource of [...resources.values()]) {
    const group = resource.parent === undefined ? undefined : groupOf(resources, resource.parent);
    if (!group?.governs) continue;
    const pointer = refField(resource);
    problems.push({
      reason: "InvalidValue",
      object: resource.key,
      pointer,
      message: `expected a group with a cgroup of its own, and ${group.name} governs ${group.governs.paths.slice(1)}, which is somebody else's`,
      ...locate(resource.origin, pointer),
    });
    resources.delete(resource.key);
    if (keepPrevious(resource.key) && resources.get(resource.key)?.parent === resource.parent) resources.delete(resource.key);
  }
}

/** References to nothing in documents that are broken anyway: all that is wrong with them is told at once. */
function looseEnds(
  broken: readonly ReadDocument[],
  resources: ReadonlyMap<ObjectKey, Resource>,
  declared: ReadonlyMap<ObjectKey, unknown>,
  brokenKeys: ReadonlySet<string>,
): Problem[] {
  return broken.flatMap(({ key, origin, references }) =>
    references
      .filter(({ to }) => !resources.has(to) && !declared.has(to) && !brokenKeys.has(to))
      .map((reference) => notFound(key, reference, origin, declared.keys())),
  );
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

function duplicates(key: ObjectKey, all: readonly { readonly origin: Origin }[]): Problem[] {
  const places = all.map(({ origin }) => locate(origin, "/metadata/name"));
  return places.map((place) => {
    const others = places.filter((other) => other !== place).map(({ file, line }) => `${file}:${line}`);
    return {
      reason: "DuplicateName",
      object: key,
      pointer: "/metadata/name",
      message: `expected one ${key}, found another at ${others.join(" and ")}`,
      hint: "rename or remove one; until then what was in force stays",
      ...place,
    };
  });
}

/** An object that moved out of a file may still stand there, too: that file cannot be read now. */
function perhapsTwice({ key, origin }: Resource, before: string): Problem {
  const pointer = "/metadata/name";
  return {
    reason: "DuplicateName",
    object: key,
    pointer,
    message: `expected one ${key}, and ${before}, where it stood before, cannot be read now`,
    hint: "mend or remove that file; until then what was in force stays",
    ...locate(origin, pointer),
  };
}

const groupOf = (resources: ReadonlyMap<ObjectKey, Resource>, name: string): LimitGroupResource | undefined =>
  resources.get(`LimitGroup/${name}`) as LimitGroupResource | undefined;

/** Takes out what is nested so deep that its path is longer than the kernel takes; told once, where it begins to be. */
function tooLong(resources: Map<ObjectKey, Resource>): Problem[] {
  const problems: Problem[] = [];
  const lengths = new Map<ObjectKey, number>();
  const ownLength = ({ name, kind }: Resource): number => name.length + (kind === "Workload" ? "@9999".length : 0);
  for (const resource of resources.values()) {
    // From here up to what is known, and down again: chains may be long.
    const chain: Resource[] = [];
    for (let here: Resource | undefined = resource; here && !lengths.has(here.key); here = parentOf(resources, here)) chain.push(here);
    for (const each of chain.reverse()) {
      const above = parentOf(resources, each);
      lengths.set(each.key, ownLength(each) + (above ? (lengths.get(above.key) ?? 0) + 1 : 0));
    }
  }
  for (const resource of [...resources.values()]) {
    const length = lengths.get(resource.key) ?? 0;
    const above = parentOf(resources, resource);
    if (length <= LONGEST_PATH || (above && (lengths.get(above.key) ?? 0) > LONGEST_PATH)) continue;
    problems.push({
      reason: "InvalidValue",
      object: resource.key,
      pointer: refField(resource),
      message: `expected a cgroup path of at most ${LONGEST_PATH} characters, found ${length}`,
      hint: "nest it less deep, or give the groups above shorter names",
      ...locate(resource.origin, refField(resource)),
    });
  }
  for (const [key, length] of lengths) if (length > LONGEST_PATH) resources.delete(key);
  return problems;
}

const parentOf = (resources: ReadonlyMap<ObjectKey, Resource>, { parent }: Resource): LimitGroupResource | undefined =>
  parent === undefined ? undefined : groupOf(resources, parent);

/** Reports references to nothing; true when there were any. The referrer stays while the group that it means was in force; else it waits. */
function settleReferences(resources: Map<ObjectKey, Resource>, previous: Manifests, brokenKeys: ReadonlySet<string>, problems: Problem[]): boolean {
  let loose = false;
  for (let again = true; again; ) {
    again = false;
    for (const resource of [...resources.values()]) {
      if (resource.parent === undefined || resources.has(`LimitGroup/${resource.parent}`)) continue;
      again = true;
      loose = true;
      const last = groupOf(previous.resources, resource.parent);
      if (last) resources.set(last.key, last);
      else resources.delete(resource.key);
      // The group is declared, and what is wrong with it was told: that is enough.
      if (brokenKeys.has(`LimitGroup/${resource.parent}`)) continue;
      const reference = { to: `LimitGroup/${resource.parent}` as const, pointer: refField(resource) };
      problems.push(notFound(resource.key, reference, resource.origin, resources.keys(), last !== undefined));
    }
  }
  return loose;
}
