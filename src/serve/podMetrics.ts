/** Knows metrics.k8s.io/v1beta1, which `kubectl top` reads: CPU and memory of each replica, and of the host's root cgroup. */
import type { CgroupPath } from "../cgroup/path.ts";
import { type Answer, failure, json, type Question } from "./answer.ts";
import { METRICS_GROUP, METRICS_VERSION } from "./discovery.ts";
import type { Feed } from "./feed.ts";
import { PODS } from "./kinds.ts";
import { CGROUP_ANNOTATION, CONTAINER } from "./mirror.ts";
import { NAMESPACE, type Served, wholeSeconds } from "./object.ts";
import { labelSelector } from "./selector.ts";

const API = `${METRICS_GROUP}/${METRICS_VERSION}`;

/** What a cgroup uses: CPUs at work (1 is one CPU), bytes; as of a time, over so many milliseconds. */
export interface Rate {
  readonly cpus: number;
  readonly memory: number;
  readonly time: number;
  readonly window: number;
}

export type RateOf = (path: CgroupPath) => Rate | undefined;

/** Undefined: the path is none of these. */
export function podMetrics({ path, query }: Question, feed: Feed, rateOf: RateOf): Answer | undefined {
  const found = /^\/apis\/metrics\.k8s\.io\/v1beta1\/(?:namespaces\/([^/]+)\/)?(pods|nodes)(?:\/([^/]+))?$/.exec(path);
  if (!found) return undefined;
  const [, namespace, what, name] = found;
  const chosen = labelSelector(query.get("labelSelector") ?? "");
  if (!chosen) return failure("BadRequest", `unable to parse the label selector ${query.get("labelSelector")}`);
  const all = (what === "pods" ? podUsages(feed, rateOf) : nodeUsages(feed, rateOf)).filter(
    ({ metadata }) => (namespace === undefined || metadata.namespace === namespace) && (name === undefined || metadata.name === name),
  );
  if (name !== undefined) return all[0] ? json(all[0]) : failure("NotFound", `${what}.${METRICS_GROUP} "${name}" not found`);
  return json({ kind: what === "pods" ? "PodMetricsList" : "NodeMetricsList", apiVersion: API, metadata: {}, items: all.filter(chosen) });
}

const usageOf = ({ cpus, memory }: Rate) => ({ cpu: `${Math.round(cpus * 1e9)}n`, memory: `${Math.ceil(memory / 1024)}Ki` });
const whenOf = ({ time, window }: Rate) => ({ timestamp: wholeSeconds(new Date(time).toISOString()), window: `${(window / 1000).toFixed(3)}s` });

function podUsages(feed: Feed, rateOf: RateOf): Served[] {
  return [...feed.of(PODS).all()].flatMap(({ object }): Served[] => {
    const rate = rateOf((object.metadata.annotations?.[CGROUP_ANNOTATION] ?? "") as CgroupPath);
    if (!rate) return [];
    const { name, labels, creationTimestamp, uid } = object.metadata;
    const metadata = { name, namespace: NAMESPACE, uid, ...(labels ? { labels } : {}), ...(creationTimestamp ? { creationTimestamp } : {}) };
    return [{ kind: "PodMetrics", apiVersion: API, metadata, ...whenOf(rate), containers: [{ name: CONTAINER, usage: usageOf(rate) }] }];
  });
}

/** The whole of what is Holdfast's: the root cgroup. */
function nodeUsages(feed: Feed, rateOf: RateOf): Served[] {
  const rate = rateOf("" as CgroupPath);
  const { node, root } = feed.place;
  return rate ? [{ kind: "NodeMetrics", apiVersion: API, metadata: { name: node, uid: root }, ...whenOf(rate), usage: usageOf(rate) }] : [];
}
