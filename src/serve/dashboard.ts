/** Knows what the page at / is given: itself, the objects in a few numbers each, what happens as it happens, and one object in full. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { LIMITS, type LimitName } from "../api/limits.ts";
import type { LimitGroupResource, ObjectKey, Resource } from "../api/resource.ts";
import type { ObjectStatus } from "../api/status.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { lineOf } from "../manifest/locate.ts";
import type { Engine } from "../reconcile/engine.ts";
import { type Answer, failure, json, type Question, type Stream } from "./answer.ts";
import { limitsText, readyOf, workloadWord } from "./cells.ts";
import { type Feed, sourceOf, sumOf } from "./feed.ts";
import { LIMIT_GROUPS, type ServedKind, WORKLOADS } from "./kinds.ts";
import { limitValues, numberIn } from "./limitValues.ts";
import type { Served } from "./object.ts";
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
  const objects = (): Served[] => [LIMIT_GROUPS, WORKLOADS].flatMap((kind: ServedKind) => [...feed.of(kind).all()].map(({ object }) => object));
  const pathsOf = (key: string): readonly CgroupPath[] => feed.pathsOf().get(key) ?? [];
  const summaryOf = (object: Served) => summary(object, resourceOf(object), Math.max(1, pathsOf(keyOf(object)).length));
  const stream = (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no" });
    response.flushHeaders();
    const tell = (name: string, data: unknown): void => push(response, `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    const ends = [
      feed.hear((event) => tell("happened", event)),
      ...[LIMIT_GROUPS, WORKLOADS].map((kind) =>
        feed.of(kind).watch(({ type, item }) => tell(type === "DELETED" ? "gone" : "object", type === "DELETED" ? keyOf(item.object) : summaryOf(item.object))),
      ),
      sampler.watch(() =>
        tell(
          "usage",
          objects().flatMap((object) => {
            const last = together(pathsOf(keyOf(object)).map((path) => sampler.points(path).at(-1)));
            return last ? [[keyOf(object), ...numbersOf(last)]] : [];
          }),
        ),
      ),
    ];
    response.on("close", () => {
      for (const end of ends) end();
    });
  };
  return ({ path, query }) => {
    if (path === "/" || path === "/login") return whole;
    if (path === "/dashboard/stream") return { stream };
    if (path === "/dashboard/state") {
      const { node, root, version } = feed.place;
      const lines = objects().map((object) => [keyOf(object), linesOf(pathsOf(keyOf(object)).map((one) => sampler.points(one))).map(numbersOf)]);
      return json({ node, root, version, objects: objects().map(summaryOf), lines, events: engine().teller.events.slice(-RECENT) });
    }
    const key = query.get("key") ?? "";
    if (path === "/dashboard/history") return json(linesOf(pathsOf(key).map((one) => sampler.points(one))));
    if (path !== "/dashboard/object") return undefined;
    const object = feed.find(key as ObjectKey);
    const resource = object && resourceOf(object);
    if (!object || !resource) return failure("NotFound", `there is no ${key}`);
    const usage = sumOf(pathsOf(key).flatMap((one) => sampler.usage(one, true) ?? []));
    return json({ ...detail(object, resource, engine()), usage });
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
function linesOf([first = [], ...others]: readonly (readonly Point[])[]): Point[] {
  return first.flatMap((point) => together([point, ...others.map((line) => line.find(({ time }) => time === point.time))]) ?? []);
}

const keyOf = ({ kind, metadata }: Served): string => `${kind}/${metadata.name}`;

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
  const status = object["status"] as ObjectStatus;
  const { reason, message, status: ready } = readyOf(object);
  const limit = (knob: LimitName): number | null => {
    const value = resource?.limits[knob];
    const number = typeof value === "string" ? numberIn(knob, value) : undefined;
    return number === undefined || number === Number.POSITIVE_INFINITY ? null : number * cgroups;
  };
  return {
    key: keyOf(object),
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
function detail(object: Served, resource: Resource, engine: Engine) {
  const { origin } = resource;
  const paths = [...engine.desired.cgroups].flatMap(([path, { owner }]) => (owner?.key === resource.key ? [path] : []));
  const values = new Map(limitValues(engine, paths).map((value) => [value.knob, value]));
  const limits = Object.entries(resource.limits).map(([name, value]) => {
    const knob = name as LimitName;
    const known = values.get(knob);
    return {
      knob,
      declared:
        typeof value === "string" ? LIMITS[knob].format(value) : limitsText({ ...resource, limits: { [knob]: value } } as Resource).slice(knob.length + 1),
      asDeclared: known?.observed === undefined ? null : known.observed === known.desired,
      source: lineOf(origin, `/spec/limits/${knob}`),
    };
  });
  return {
    key: resource.key,
    metadata: object.metadata,
    status: object["status"],
    limits,
    inherited: inheritedBy(resource, engine),
    source: sourceOf(resource),
    manifest: origin.text,
  };
}

/** Limits of the groups that it is inside of: the kernel keeps to the smallest. */
function inheritedBy(resource: Resource, { desired }: Engine): { readonly group: string; readonly limits: string; readonly source: string }[] {
  const found: { group: string; limits: string; source: string }[] = [];
  for (let name = resource.parent; name !== undefined; ) {
    const group = desired.resources.get(`LimitGroup/${name}`) as LimitGroupResource | undefined;
    if (!group) break;
    if (Object.keys(group.limits).length > 0) found.push({ group: name, limits: limitsText(group), source: `${group.origin.file}:${group.origin.line}` });
    name = group.parent;
  }
  return found;
}
