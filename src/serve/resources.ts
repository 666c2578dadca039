/** Knows how to answer for objects: one, a list, a table of them, or their changes as they come (Kubernetes' "API Concepts"). */
import type { ServerResponse } from "node:http";
import { setImmediate as breath } from "node:timers/promises";
import { type Answer, asksFor, failure, json, type Question, type Stream, statusOf } from "./answer.ts";
import type { Change, Collection, Item } from "./collection.ts";
import type { Feed } from "./feed.ts";
import { type Beside, SERVED, type ServedKind } from "./kinds.ts";
import { SOURCE_ANNOTATION } from "./mirror.ts";
import type { Served } from "./object.ts";
import { fieldSelector, labelSelector, type Test, unknownField } from "./selector.ts";
import { type Include, tableOf } from "./table.ts";

/** What a path says: of which kind, where, which one, and what of it. */
export interface Target {
  readonly kind: ServedKind;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** Undefined: no path of an object's. */
export function targetOf(path: string): Target | undefined {
  const parts = path.split("/").slice(1);
  const core = parts[0] === "api" && parts[1] === "v1";
  if (!core && parts[0] !== "apis") return undefined;
  const [group, version] = core ? ["", "v1"] : [parts[1] ?? "", parts[2] ?? ""];
  const rest = parts.slice(core ? 2 : 3);
  // `namespaces/default` is an object itself.
  const inside = rest[0] === "namespaces" && rest.length > 2;
  const [plural, name, subresource, more] = inside ? rest.slice(2) : rest;
  const kind = SERVED.find((one) => one.group === group && one.version === version && one.plural === plural);
  if (!kind || more !== undefined || (inside && !kind.namespaced)) return undefined;
  return { kind, namespace: inside ? rest[1] : undefined, name, subresource };
}

const AS_TABLE = /application\/json;(?=[^,]*as=Table)(?=[^,]*v=v1(?:;|,|$))/;
const TABLE_TYPE = "application/json;as=Table;v=v1;g=meta.k8s.io";

interface Asked {
  readonly target: Target;
  readonly table: Include | undefined;
  readonly chosen: Test;
}

export class Resources {
  private readonly feed: Feed;
  private readonly resourceOf: Beside["resourceOf"];

  constructor(feed: Feed, resourceOf: Beside["resourceOf"]) {
    this.feed = feed;
    this.resourceOf = resourceOf;
  }

  answer(target: Target, { query, headers }: Question): Answer | Stream {
    const labels = labelSelector(query.get("labelSelector") ?? "");
    const fields = fieldSelector(query.get("fieldSelector") ?? "");
    if (!labels || !fields)
      return failure("BadRequest", `unable to parse the ${labels ? "field" : "label"} selector ${query.get(labels ? "fieldSelector" : "labelSelector")}`);
    const unknown = unknownField(query.get("fieldSelector") ?? "", this.feed.of(target.kind));
    if (unknown !== undefined) return failure("BadRequest", `field label not supported: ${unknown}`);
    const { namespace, name } = target;
    const chosen: Test = (object) => (namespace === undefined || object.metadata.namespace === namespace) && labels(object) && fields(object);
    const include = query.get("includeObject");
    const table: Include | undefined = AS_TABLE.test(String(headers.accept ?? ""))
      ? include === "Object" || include === "None"
        ? include
        : "Metadata"
      : undefined;
    const asked = { target, table, chosen };
    this.feed.settle();
    const collection = this.feed.of(target.kind);
    if (name !== undefined) return this.one(asked, collection, namespace === undefined ? name : `${namespace}/${name}`, name);
    if (asksFor(query, "watch")) return this.watch(asked, collection, query);
    return this.list(asked, collection);
  }

  /** What tables tell besides objects. `many`: usage as it was sampled last, for it is not read anew of a thousand objects. */
  private beside(many = false): Beside {
    return { now: Date.now(), resourceOf: this.resourceOf, usageOf: (object) => this.feed.usageOf(object, many ? "sampled" : "fresh") };
  }

  private one({ target: { kind }, table }: Asked, collection: Collection, key: string, name: string): Answer {
    const item = collection.get(key);
    if (!item) return failure("NotFound", `${resourceName(kind)} "${name}" not found`, { name, group: kind.group, kind: kind.plural });
    if (table) return { ...json(tableOf(kind, [item.object], String(item.version), table, this.beside())), type: TABLE_TYPE };
    return { code: 200, type: "application/json", body: item.text };
  }

  private list({ target: { kind }, table, chosen }: Asked, collection: Collection): Answer | Stream {
    const items = [...collection.all()].filter(({ object }) => chosen(object));
    const version = String(collection.version);
    if (table) return this.listAsTable(kind, items, version, table);
    const head = { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata: { resourceVersion: version } };
    // The text of each object is known: a thousand of them are put together, not written anew.
    return listed("application/json", head, "items", items, (some) => some.map(({ text }) => text));
  }

  private listAsTable(kind: ServedKind, items: readonly Item[], version: string, include: Include): Answer | Stream {
    const beside = this.beside(items.length > FRESHLY);
    const { rows: _, ...head } = tableOf(kind, [], version, include, beside);
    return listed(TABLE_TYPE, head, "rows", items, (some) => {
      const objects = some.map(({ object }) => object);
      return tableOf(kind, objects, version, include, beside).rows.map((row) => JSON.stringify(row));
    });
  }

  private watch(asked: Asked, collection: Collection, query: URLSearchParams): Answer | Stream {
    const { kind } = asked.target;
    const from = query.get("resourceVersion") ?? "";
    const initial = asksFor(query, "sendInitialEvents");
    if (from !== "" && !/^\d+$/.test(from)) return failure("BadRequest", `invalid resource version "${from}"`);
    const seconds = query.get("timeoutSeconds");
    if (seconds !== null && !/^\d{1,9}$/.test(seconds)) return failure("BadRequest", `invalid timeoutSeconds "${seconds}"`);
    const version = initial || from === "" || from === "0" ? undefined : Number(from);
    const missed = version === undefined ? [...collection.all()].map((item) => added(item)) : collection.since(version);
    if (!missed) {
      const status = statusOf("Expired", `too ${Number(from) > collection.version ? "large" : "old"} resource version: ${from} (${collection.version})`);
      return { code: 200, type: "application/json", body: `${JSON.stringify({ type: "ERROR", object: status })}\n` };
    }
    const bookmarks = asksFor(query, "allowWatchBookmarks");
    const lineOf = (change: Change): string => this.line(change, asked);
    const bookmark = (end: boolean): string => {
      const annotations = end ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
      const object = { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata: { resourceVersion: String(collection.version), ...annotations } };
      return `${JSON.stringify({ type: "BOOKMARK", object })}\n`;
    };
    return {
      stream: (response) => {
        response.writeHead(200, { "content-type": asked.table ? TABLE_TYPE : "application/json", "cache-control": "no-cache, private" });
        response.flushHeaders();
        const first = missed.map(lineOf).join("") + (initial && bookmarks ? bookmark(true) : "");
        if (first !== "") response.write(first);
        const end = collection.watch((change) => {
          const line = lineOf(change);
          if (line !== "") push(response, line);
        });
        const marks = bookmarks ? setInterval(() => push(response, bookmark(false)), BOOKMARK) : undefined;
        const over = seconds === null ? undefined : setTimeout(() => response.end(), Math.min(Number(seconds), LONGEST) * 1000);
        response.on("close", () => {
          end();
          clearInterval(marks);
          clearTimeout(over);
        });
      },
    };
  }

  /** A line of a watch; empty for what is not asked for. What begins or ends to be chosen is as if it came or went. */
  private line({ type, item, before }: Change, { target: { kind }, table, chosen }: Asked): string {
    const [is, was] = [chosen(item.object), before !== undefined && chosen(before.object)];
    const shown = type === "DELETED" ? (was ? "DELETED" : undefined) : is ? (was ? "MODIFIED" : "ADDED") : was ? "DELETED" : undefined;
    if (!shown) return "";
    const text = table ? JSON.stringify(tableOf(kind, [item.object], String(item.version), table, this.beside())) : item.text;
    return `{"type":"${shown}","object":${text}}\n`;
  }
}

/** Until what was sent was taken, or will never be. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
    if (response.destroyed) done();
  });
}

/** A list of many is sent a few at a time, as fast as they are taken: whatever the controller has to do comes in between. */
function listed(type: string, head: object, name: string, items: readonly Item[], textsOf: (some: readonly Item[]) => readonly string[]): Answer | Stream {
  const start = `${JSON.stringify(head).slice(0, -1)},"${name}":[`;
  if (items.length <= AT_ONCE) return { code: 200, type, body: `${start}${textsOf(items).join(",")}]}` };
  const send = async (response: ServerResponse): Promise<void> => {
    response.writeHead(200, { "content-type": type, "cache-control": "no-cache, private" });
    response.write(start);
    for (let first = 0; first < items.length && !response.destroyed; first += AT_ONCE) {
      const taken = response.write(`${first > 0 ? "," : ""}${textsOf(items.slice(first, first + AT_ONCE)).join(",")}`);
      await (taken ? breath() : drained(response));
    }
    response.end("]}");
  };
  return {
    stream: (response) => {
      send(response).catch(() => response.destroy());
    },
  };
}

const added = (item: Item): Change => ({ type: "ADDED", item, before: undefined, version: item.version });

/** Rows that are made without a pause; and up to so many rows usage is read anew. */
const [AT_ONCE, FRESHLY] = [25, 50];
/** Between two bookmarks, ms; and the longest watch, seconds. */
const [BOOKMARK, LONGEST] = [60_000, 2_000_000];
/** Who is so many bytes behind is let go, and lists anew: nobody holds up the controller, or its memory. */
const MOST_BEHIND = 4 * 1024 * 1024;

export function push(response: ServerResponse, text: string, encoding: "utf8" | "latin1" = "utf8"): void {
  if (response.writableLength > MOST_BEHIND) response.destroy();
  else if (!response.destroyed) response.write(text, encoding);
}

const apiVersionOf = ({ group, version }: Pick<ServedKind, "group" | "version">): string => (group === "" ? version : `${group}/${version}`);
const resourceName = ({ plural, group }: ServedKind): string => (group === "" ? plural : `${plural}.${group}`);

/** Why nothing is written here, and where it is instead. */
export function readOnly(target: Target | undefined, feed: Feed, directory: string): Answer {
  const object: Served | undefined = target?.name === undefined ? undefined : feed.of(target.kind).get(target.name)?.object;
  const source = object?.metadata.annotations?.[SOURCE_ANNOTATION];
  const what = target ? resourceName(target.kind) : "this API";
  const where = source ? `edit ${source} instead` : `the manifests are in ${directory}`;
  return failure("MethodNotAllowed", `${what} is read-only: the manifest directory is the source of truth; ${where}`, {
    ...(target ? { group: target.kind.group, kind: target.kind.plural, ...(target.name === undefined ? {} : { name: target.name }) } : {}),
  });
}
