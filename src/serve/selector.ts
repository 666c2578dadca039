/** Knows label and field selectors (Kubernetes' "Labels and Selectors", "Field Selectors"): text in, a test of objects out. */
import type { Collection } from "./collection.ts";
import type { Served } from "./object.ts";

export type Test = (object: Served) => boolean;

const EQUALITY = /^([^\s!=,()]+)\s*(==|=|!=)\s*([^\s=!,()]*)$/;
const SET = /^([^\s!=,()]+)\s+(in|notin)\s+\(([^()]*)\)$/;
const EXISTS = /^(!?)\s*([^\s!=,()]+)$/;

/** Commas outside of brackets. */
const requirements = (text: string): string[] =>
  text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== "");

/** Undefined: it is no selector. */
export function labelSelector(text: string): Test | undefined {
  const tests: Test[] = [];
  for (const part of requirements(text)) {
    const test = labelTest(part);
    if (!test) return undefined;
    tests.push(test);
  }
  return (object) => tests.every((test) => test(object));
}

function labelTest(part: string): Test | undefined {
  const set = SET.exec(part);
  if (set) {
    const [, key = "", how, list = ""] = set;
    const values = new Set(list.split(",").map((value) => value.trim()));
    const isIn: Test = ({ metadata: { labels } }) => labels?.[key] !== undefined && values.has(labels[key]);
    return how === "in" ? isIn : (object) => !isIn(object);
  }
  const equality = EQUALITY.exec(part);
  if (equality) {
    const [, key = "", how, value] = equality;
    return how === "!=" ? (object) => object.metadata.labels?.[key] !== value : (object) => object.metadata.labels?.[key] === value;
  }
  const exists = EXISTS.exec(part);
  if (!exists) return undefined;
  const [, not, key = ""] = exists;
  return (object) => (object.metadata.labels?.[key] === undefined) === (not === "!");
}

/** Any field by its path; undefined: it is no selector. What an object does not have is empty. */
export function fieldSelector(text: string): Test | undefined {
  const tests: Test[] = [];
  for (const part of requirements(text)) {
    const found = /^([A-Za-z][\w.]*)\s*(==|=|!=)\s*(.*)$/.exec(part);
    if (!found) return undefined;
    const [, path = "", how, value] = found;
    tests.push((object) => (textAt(object, path) === value) === (how !== "!="));
  }
  return (object) => tests.every((test) => test(object));
}

/** A field of a selector that none of the objects has, of those that there are; a typing error, most likely. */
export function unknownField(text: string, collection: Pick<Collection, "all">): string | undefined {
  const paths = requirements(text).map((part) => part.split(/[!=]/, 1)[0]?.trim() ?? "");
  return paths.find((path) => {
    if (ALWAYS.has(path)) return false;
    const all = [...collection.all()];
    return all.length > 0 && all.every(({ object }) => textAt(object, path) === "");
  });
}

/** Asked of every kind, whether it has them or not. */
const ALWAYS = new Set(["metadata.name", "metadata.namespace", "involvedObject.namespace", "spec.nodeName", "status.phase"]);

function textAt(object: Served, path: string): string {
  let here: unknown = object;
  for (const part of path.split("."))
    here = typeof here === "object" && here !== null && Object.hasOwn(here, part) ? (here as Record<string, unknown>)[part] : undefined;
  return here === undefined || here === null ? "" : String(here);
}
