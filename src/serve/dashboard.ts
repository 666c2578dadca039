/** Knows what the page at / is given: itself, the objects in a few numbers each, what happens as it happens, and one object in full. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { LIMITS, type LimitName } from "../api/limits.ts";
import type { LimitGroupResource, ObjectKey, Resource } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { lineOf, nameLineOf } from "../manifest/locate.ts";
import type { Engine } from "../reconcile/engine.ts";
import { type Answer, failure, json, type Question, type Stream } from "./answer.ts";
import { limitsText, readyOf, statusOf, workloadWord } from "./cells.ts";
import type { Feed } from "./feed.ts";
import { OWN } from "./kinds.ts";
import { limitOf, limitValues } from "./limitValues.ts";
import { objectKeyOf, type Served } from "./object.ts";
import { push } from "./resources.ts";
import type { Point, Sampler } from "./sampler.ts";

export interface DashboardOptions {
  readonly feed: Feed;
  readonly sampler: Sampler;
  readonly engine: () => Engine;
  readonly resourceOf: (object: Served) => Resource | undefined;
  /** The page as it was built. */
  readonly page: URL;
}

/** Events that the page begins with. */
const RECENT = 50;

export function dashboard(options: DashboardOptions): (question: Question) => Answer | Stream | undefined {
  const { feed, sampler, engine, resourceOf, page } = options;
  const file = readFileSync(page, "utf8");
  const headers = { "content-security-policy": policyFor(file), "referrer-policy": "no-referrer", "x-frame-options": "DENY" };
  const whole = { code: 200, type: "text/html; charset=utf-8", body: file, headers };
  const linesOf = (key: ObjectKey): Point[] => asOne(feed.pathsOf(key).map((path) => sampler.points(path)));
  const summaryOf = (object: Served) => summary(object, resourceOf(object), Math.max(1, feed.pathsOf(objectKeyOf(object)).length));
  const usages = () =>
    feed.own().flatMap((object) => {
      const key = objectKeyOf(object);
      const last = together(feed.pathsOf(key).map((path) => sampler.points(path).at(-1)));
      return last ? [[key, ...numbersOf(last)]] : [];
    });
  const pages = pagesOf(feed, sampler, summaryOf, usages);
  return ({ path, query }) => {
    if (path === "/" || path === "/login") return whole;
    if (path === "/dashboard/stream") return { stream: pages };
    if (path === "/dashboard/state") {
      const { node, root, version } = feed.place;
      const objects = feed.own();
      const lines = objects.map(objectKeyOf).map((key) => [key, linesOf(key).map(numbersOf)]);
      return json({ node, root, version, objects: objects.map(summaryOf), lines, events: engine().teller.events.slice(-RECENT) });
    }
    const key = (query.get("key") ?? "") as ObjectKey;
    if (path === "/dashboard/history") return json(linesOf(key));
    if (path !== "/dashboard/object") return undefined;
    const object = feed.find(key);
    const resource = object && resourceOf(object);
    if (!object || !resource) return failure("NotFound", `there is no ${key}`);
    return json({ ...detail(object, resource, engine(), feed.pathsOf(key)), usage: feed.usageOf(object, "closely") ?? {} });
  };
}

/** All open pages are told the same, which is made once; and only where one is open. */
function pagesOf(feed: Feed, sampler: Sampler, summaryOf: (object: Served) => unknown, usages: () => unknown): Stream["stream"] {
  const pages = new Set<ServerResponse>();
  const tell = (name: string, data: () => unknown): void => {
    if (pages.size === 0) return;
    const text = `event: ${name}\ndata: ${JSON.stringify(data())}\n\n`;
    for (const page of pages) push(page, text);
  };
  feed.hear((event) => tell("happened", () => event));
  sampler.hear(() => tell("usage", usages));
  for (const kind of OWN)
    feed
      .of(kind)
      .watch(({ type, item: { object } }) => (type === "DELETED" ? tell("gone", () => objectKeyOf(object)) : tell("object", () => summaryOf(object))));
  return (page) => {
    page.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no" });
    page.flushHeaders();
    pages.add(page);
    const end = sampler.watch();
    page.on("close", () => {
      pages.delete(page);
      end();
    });
  };
}

/** As short as it can be: there may be a thousand of them every two seconds. */
const numbersOf = ({ time, cpu, memory, pids, read, write, throttled }: Point): number[] => [
  time,
  round(cpu),
  memory,
  pids,
  Math.round(read),
  Math.round(write),
  round(throttled),
];
const round = (share: number): number => Math.round(share * 1e4) / 1e4;

/** Several lines as one: what was sampled at one time belongs together. */
function asOne([first = [], ...others]: readonly (readonly Point[])[]): Point[] {
  return first.flatMap((point) => together([point, ...others.map((line) => line.find(({ time }) => time === point.time))]) ?? []);
}

/** Nothing but the page's own script and style runs; it talks to its own server alone (Content Security Policy, level 3). */
function policyFor(page: string): string {
  const hashesOf = (tag: string): string =>
    [...page.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, "g"))]
      .map(([, text = ""]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`)
      .join(" ");
  return [
    "default-src 'none'",
    `script-src ${hashesOf("script")}`,
    `style-src ${hashesOf("style")}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Of several cgroups at one time. */
function together(points: readonly (Point | undefined)[]): Point | undefined {
  const all = points.flatMap((point) => point ?? []);
  const [first] = all;
  if (!first) return undefined;
  const sum = (name: keyof Point): number => all.reduce((total, point) => total + point[name], 0);
  return {
    time: first.time,
    cpu: sum("cpu"),
    memory: sum("memory"),
    pids: sum("pids"),
    read: sum("read"),
    write: sum("write"),
    throttled: Math.max(...all.map(({ throttled }) => throttled)),
  };
}

/** An object in a line of the tree. `cgroups`: how many it has together, each with its limits. */
function summary(object: Served, resource: Resource | undefined, cgroups: number) {
  const status = statusOf(object);
  const { reason, message, status: ready } = readyOf(object);
  const limit = (knob: LimitName): number | null => {
    const each = resource && limitOf(resource, knob);
    return each === undefined ? null : each * cgroups;
  };
  return {
    key: objectKeyOf(object),
    kind: object.kind,
    name: object.metadata.name,
    parent: resource?.parent === undefined ? null : `LimitGroup/${resource.parent}`,
    cgroup: status.cgroup,
    ready: ready === "True",
    reason,
    message,
    state: object.kind === "Workload" ? workloadWord(object) : reason,
    replicas: object.kind === "Workload" ? `${status.readyReplicas ?? 0}/${status.replicas ?? 0}` : null,
    restarts: status.restartCount ?? 0,
    drift: status.drift?.count ?? 0,
    lastDrift: status.drift?.lastSeen ?? null,
    limits: { cpu: limit("cpu.max"), memory: limit("memory.max"), pids: limit("pids.max") },
  };
}

/** An object in full: what was declared where, what the kernel says, and what became of it. */
function detail(object: Served, resource: Resource, engine: Engine, paths: readonly CgroupPath[]) {
  const { origin } = resource;
  const found = limitValues(engine, paths);
  const values = new Map(found.limits.map((value) => [value.knob, value]));
  /** Undefined: nobody can tell. */
  const isInForce = (knob: LimitName): boolean | undefined => {
    const all = knob === "io.max" ? found.rates : [values.get(knob)];
    return all.length === 0 || all.some((one) => one?.observed === undefined) ? undefined : all.every((one) => one?.observed === one?.desired);
  };
  const limits = Object.entries(resource.limits).map(([name, value]) => {
    const knob = name as LimitName;
    return {
      knob,
      declared:
        typeof value === "string" ? LIMITS[knob].format(value) : limitsText({ ...resource, limits: { [knob]: value } } as Resource).slice(knob.length + 1),
      asDeclared: isInForce(knob) ?? null,
      source: lineOf(origin, `/spec/limits/${knob}`),
    };
  });
  return {
    key: resource.key,
    metadata: object.metadata,
    status: statusOf(object),
    limits,
    inherited: inheritedBy(resource, engine),
    source: nameLineOf(origin),
    manifest: origin.text,
  };
}

/** Limits of the groups that it is inside of: the kernel keeps to the smallest. */
function inheritedBy(resource: Resource, { desired }: Engine): { readonly group: string; readonly limits: string; readonly source: string }[] {
  const found: { group: string; limits: string; source: string }[] = [];
  for (let name = resource.parent; name !== undefined; ) {
    const group = desired.resources.get(`LimitGroup/${name}`) as LimitGroupResource | undefined;
    if (!group) break;
    if (Object.keys(group.limits).length > 0) found.push({ group: name, limits: limitsText(group), source: nameLineOf(group.origin) });
    name = group.parent;
  }
  return found;
}
