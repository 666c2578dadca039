/** Knows what Kubernetes' clients ask first: which groups, versions and resources there are, in the old form and in the aggregated one. */
import { type Answer, json, type Question } from "./answer.ts";
import { SERVED, type ServedKind } from "./kinds.ts";

const VERBS = ["get", "list", "watch"];
const AGGREGATED = /g=apidiscovery\.k8s\.io;v=(v2(?:beta1)?);as=APIGroupDiscoveryList/;

/** Served besides, without objects of its own: what `kubectl top` reads. */
export const METRICS_GROUP = "metrics.k8s.io";
export const METRICS_VERSION = "v1beta1";

interface Resource {
  readonly name: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly kind: string;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[] | undefined;
  readonly categories?: readonly string[] | undefined;
  /** Of another group than the one it is in. */
  readonly responds?: { readonly group: string; readonly version: string };
}

const resourceOf = ({ plural, singular, namespaced, kind, shortNames, categories }: ServedKind): Resource => ({
  ...{ name: plural, singular, namespaced, kind, verbs: VERBS, shortNames, categories },
});
const LOG: Resource = { name: "pods/log", singular: "", namespaced: true, kind: "Pod", verbs: ["get"] };
const USAGE: readonly Resource[] = [
  { name: "nodes", singular: "", namespaced: false, kind: "NodeMetrics", verbs: ["get", "list"] },
  { name: "pods", singular: "", namespaced: true, kind: "PodMetrics", verbs: ["get", "list"] },
];

/** By group and version. */
const RESOURCES: ReadonlyMap<string, readonly Resource[]> = new Map([
  ["v1", [...SERVED.filter(({ group }) => group === "").map(resourceOf), LOG]],
  ...[...new Set(SERVED.filter(({ group }) => group !== "").map(({ group, version }) => `${group}/${version}`))].map(
    (id) => [id, SERVED.filter(({ group, version }) => `${group}/${version}` === id).map(resourceOf)] as const,
  ),
  [`${METRICS_GROUP}/${METRICS_VERSION}`, USAGE],
]);

const groups = (): { name: string; version: string; id: string }[] =>
  [...RESOURCES.keys()].filter((id) => id.includes("/")).map((id) => ({ name: id.split("/")[0] ?? "", version: id.split("/")[1] ?? "", id }));

/** Undefined: the path is none of discovery's. */
export function discover({ path, headers }: Question): Answer | undefined {
  const aggregated = AGGREGATED.exec(String(headers.accept ?? ""))?.[1];
  if (path === "/api") {
    if (aggregated) return aggregate(aggregated, [{ name: "", version: "v1", id: "v1" }]);
    return json({ kind: "APIVersions", apiVersion: "v1", versions: ["v1"], serverAddressByClientCIDRs: [] });
  }
  if (path === "/apis") {
    if (aggregated) return aggregate(aggregated, groups());
    return json({ kind: "APIGroupList", apiVersion: "v1", groups: groups().map(groupOf) });
  }
  const [, , group, version] = path.split("/");
  if (/^\/apis\/[^/]+$/.test(path)) {
    const found = groups().find(({ name }) => name === group);
    return found && json({ kind: "APIGroup", apiVersion: "v1", ...groupOf(found) });
  }
  const id = path === "/api/v1" ? "v1" : /^\/apis\/[^/]+\/[^/]+$/.test(path) ? `${group}/${version}` : undefined;
  const resources = id === undefined ? undefined : RESOURCES.get(id);
  if (!resources) return undefined;
  return json({
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: id,
    resources: resources.map(({ singular, ...resource }) => ({ ...resource, singularName: singular })),
  });
}

function groupOf({ name, version, id }: { readonly name: string; readonly version: string; readonly id: string }) {
  const only = { groupVersion: id, version };
  return { name, versions: [only], preferredVersion: only };
}

/** apidiscovery.k8s.io's APIGroupDiscoveryList. */
function aggregate(version: string, found: readonly { readonly name: string; readonly version: string; readonly id: string }[]): Answer {
  const items = found.map((group) => {
    const all = RESOURCES.get(group.id) ?? [];
    const kindOf = (kind: string) => ({ group: group.name, version: group.version, kind });
    const resources = all
      .filter(({ name }) => !name.includes("/"))
      .map(({ name, singular, kind, namespaced, verbs, shortNames, categories }) => ({
        resource: name,
        responseKind: kindOf(kind),
        scope: namespaced ? "Namespaced" : "Cluster",
        singularResource: singular,
        verbs,
        ...(shortNames ? { shortNames } : {}),
        ...(categories ? { categories } : {}),
        subresources: all
          .filter((sub) => sub.name.startsWith(`${name}/`))
          .map((sub) => ({ subresource: sub.name.slice(name.length + 1), responseKind: kindOf(sub.kind), verbs: sub.verbs })),
      }));
    return { metadata: { name: group.name, creationTimestamp: null }, versions: [{ version: group.version, resources, freshness: "Current" }] };
  });
  const body = { kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items };
  return { ...json(body), type: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`, headers: { vary: "Accept" } };
}
