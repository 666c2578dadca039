/** Knows which kinds are served, under which names, and which columns a table of each has. */
import type { Resource } from "../api/resource.ts";
import { API_VERSION } from "../api/schemas.ts";
import type { Usage } from "../cgroup/usage.ts";
import { ageOf, driftText, limitsText, podStatus, readyOf, runningSince, statusOf, usageText, workloadWord } from "./cells.ts";
import type { Served } from "./object.ts";

/** What a table tells besides the object itself. */
export interface Beside {
  /** ms since the epoch. */
  readonly now: number;
  readonly resourceOf: (object: Served) => Resource | undefined;
  /** Of all cgroups of an object, as far as it is known. */
  readonly usageOf: (object: Served) => Usage | undefined;
}

interface Column {
  readonly name: string;
  readonly description: string;
  readonly type?: "string" | "integer";
  /** `-o wide` alone shows it. */
  readonly wide?: true;
  readonly cell: (object: Served, beside: Beside) => string | number;
}

export interface ServedKind {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly namespaced: boolean;
  readonly columns: readonly Column[];
}

const NAME: Column = { name: "Name", description: "Name of the object.", cell: ({ metadata }) => metadata.name };
const AGE: Column = {
  name: "Age",
  description: "Since a controller saw it first.",
  cell: ({ metadata }, { now }) => ageOf(metadata.creationTimestamp, now),
};
const LIMITS_COLUMN: Column = {
  name: "Limits",
  description: "The limits that are declared.",
  cell: (object, { resourceOf }) => limitsText(resourceOf(object)),
};
const USAGE: Column = {
  name: "Usage",
  description: "Memory and processes in use now.",
  cell: (object, { usageOf }) => usageText(usageOf(object)),
};
const DRIFT: Column = { name: "Drift", description: "How often something drifted, and when last.", cell: (object, { now }) => driftText(object, now) };
const CGROUP: Column = { name: "Cgroup", description: "Path below the root cgroup.", wide: true, cell: (object) => statusOf(object).cgroup };
const MESSAGE: Column = { name: "Message", description: "Why it is ready or not.", wide: true, cell: (object) => readyOf(object).message };
const field = (object: Served, ...path: string[]): string => {
  let here: unknown = object;
  for (const part of path) here = (here as Record<string, unknown> | undefined)?.[part];
  return here === undefined ? "" : String(here);
};

const [GROUP, VERSION] = API_VERSION.split("/") as [string, string];

export const LIMIT_GROUPS: ServedKind = {
  group: GROUP,
  version: VERSION,
  kind: "LimitGroup",
  plural: "limitgroups",
  singular: "limitgroup",
  shortNames: ["lg"],
  categories: ["all", "holdfast"],
  namespaced: false,
  columns: [
    NAME,
    {
      name: "Ready",
      description: "Whether the kernel says what the manifest says, and why not.",
      cell: (object) => (readyOf(object).status === "True" ? "True" : `${readyOf(object).status} ${readyOf(object).reason}`),
    },
    LIMITS_COLUMN,
    USAGE,
    DRIFT,
    AGE,
    CGROUP,
    MESSAGE,
  ],
};

export const WORKLOADS: ServedKind = {
  group: GROUP,
  version: VERSION,
  kind: "Workload",
  plural: "workloads",
  singular: "workload",
  shortNames: ["wl"],
  categories: ["all", "holdfast"],
  namespaced: false,
  columns: [
    NAME,
    {
      name: "Ready",
      description: "Replicas that are ready, of those that are declared.",
      cell: (object) => `${statusOf(object).readyReplicas ?? 0}/${statusOf(object).replicas ?? 0}`,
    },
    { name: "Status", description: "What the replicas do.", cell: workloadWord },
    { name: "Restarts", type: "integer", description: "Restarts of all replicas.", cell: (object) => statusOf(object).restartCount ?? 0 },
    { name: "Running", description: "Since when the oldest replica runs.", cell: (object, { now }) => runningSince(object, now) },
    AGE,
    { ...LIMITS_COLUMN, wide: true },
    { ...USAGE, wide: true },
    { ...DRIFT, wide: true },
    CGROUP,
    MESSAGE,
  ],
};

export const PODS: ServedKind = {
  group: "",
  version: "v1",
  kind: "Pod",
  plural: "pods",
  singular: "pod",
  shortNames: ["po"],
  namespaced: true,
  columns: [
    NAME,
    { name: "Ready", description: "Whether the replica is ready.", cell: (object) => `${podStatus(object).ready ? 1 : 0}/1` },
    { name: "Status", description: "What the replica does.", cell: (object) => podStatus(object).reason },
    { name: "Restarts", type: "integer", description: "How often it was started again.", cell: (object) => podStatus(object).restartCount },
    AGE,
    { name: "Node", wide: true, description: "The host.", cell: (object) => field(object, "spec", "nodeName") },
  ],
};

export const EVENTS: ServedKind = {
  group: "",
  version: "v1",
  kind: "Event",
  plural: "events",
  singular: "event",
  shortNames: ["ev"],
  namespaced: true,
  columns: [
    { name: "Last Seen", description: "When it happened.", cell: (object, { now }) => ageOf(field(object, "lastTimestamp"), now) },
    { name: "Type", description: "Normal or Warning.", cell: (object) => field(object, "type") },
    { name: "Reason", description: "What happened, in a word.", cell: (object) => field(object, "reason") },
    {
      name: "Object",
      description: "What it happened to.",
      cell: (object) => `${field(object, "involvedObject", "kind").toLowerCase()}/${field(object, "involvedObject", "name")}`,
    },
    { name: "Message", description: "What happened.", cell: (object) => field(object, "message") },
  ],
};

export const NODES: ServedKind = {
  group: "",
  version: "v1",
  kind: "Node",
  plural: "nodes",
  singular: "node",
  shortNames: ["no"],
  namespaced: false,
  columns: [
    NAME,
    { name: "Status", description: "The controller is at work.", cell: () => "Ready" },
    AGE,
    { name: "Version", description: "Version of Holdfast.", cell: (object) => field(object, "status", "nodeInfo", "kubeletVersion") },
    { name: "Kernel-Version", wide: true, description: "The kernel.", cell: (object) => field(object, "status", "nodeInfo", "kernelVersion") },
  ],
};

export const NAMESPACES: ServedKind = {
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  singular: "namespace",
  shortNames: ["ns"],
  namespaced: false,
  columns: [NAME, { name: "Status", description: "Always active.", cell: () => "Active" }, AGE],
};

/** Holdfast's own. */
export const OWN: readonly ServedKind[] = [LIMIT_GROUPS, WORKLOADS];

export const SERVED: readonly ServedKind[] = [LIMIT_GROUPS, WORKLOADS, PODS, EVENTS, NODES, NAMESPACES];
