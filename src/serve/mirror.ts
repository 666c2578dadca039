/** Knows how what Holdfast knows looks as objects of Kubernetes' API: its own kinds, and replicas, events and the host as the kinds that kubectl knows by heart. */
import { createHash } from "node:crypto";
import type { Resource } from "../api/resource.ts";
import { API_VERSION } from "../api/schemas.ts";
import type { ContainerState, Event, ObjectView, ReplicaStatus } from "../api/status.ts";
import { statusOf } from "./cells.ts";
import { type Meta, NAMESPACE, type Served, wholeSeconds } from "./object.ts";

/** What all objects of one controller have in common. */
export interface Place {
  /** Name of the host. */
  readonly node: string;
  /** The root cgroup. */
  readonly root: string;
  /** Version of Holdfast. */
  readonly version: string;
}

/** The same for the same words: a UUID of version 8 (RFC 9562, 5.8). An object is its name: one that comes again is the same one. */
function uidOf(...words: readonly string[]): string {
  const hex = createHash("sha256").update(words.join("\0")).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Where the manifest of an object stands, as `file:line`. */
export const SOURCE_ANNOTATION = "holdfast.dev/source";

export function objectOf({ apiVersion, kind, metadata, spec, status }: ObjectView, source: string | undefined, { root }: Place): Served {
  const { name, generation, creationTimestamp, labels, annotations } = metadata;
  const meta: Meta = {
    name,
    uid: uidOf(root, kind, name),
    generation,
    ...(creationTimestamp === undefined ? {} : { creationTimestamp: wholeSeconds(creationTimestamp) }),
    ...(labels ? { labels } : {}),
    ...(annotations || source !== undefined ? { annotations: { ...annotations, ...(source === undefined ? {} : { [SOURCE_ANNOTATION]: source }) } } : {}),
  };
  return { apiVersion, kind, metadata: meta, spec: spec ?? {}, status };
}

/** `web-0`, as of a StatefulSet: `@` is not allowed in a pod's name. */
const podName = (replica: string): string => replica.replace("@", "-");

/** Where a pod's cgroup is, below the root. */
export const CGROUP_ANNOTATION = "holdfast.dev/cgroup";

/** The name of a replica's only container. */
export const CONTAINER = "main";

/** A pod for each replica of a workload. */
export function podsOf(workload: Served, resource: Resource | undefined, { node, root }: Place): Served[] {
  const { replicaStatuses = [] } = statusOf(workload);
  const { name, uid, labels, creationTimestamp } = workload.metadata;
  const argv = resource?.kind === "Workload" ? resource.run.argv : [];
  return replicaStatuses.map((replica) => {
    const started = replica.state.running?.startedAt ?? replica.state.terminated?.startedAt;
    const metadata: Meta = {
      name: podName(replica.name),
      namespace: NAMESPACE,
      uid: uidOf(root, "Pod", replica.name),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      labels: { ...labels, "holdfast.dev/workload": name },
      annotations: { [CGROUP_ANNOTATION]: replica.cgroup },
      ownerReferences: [{ apiVersion: API_VERSION, kind: "Workload", name, uid, controller: true }],
    };
    const ready = replica.ready ? "True" : "False";
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      spec: {
        nodeName: node,
        containers: [{ name: CONTAINER, image: "", command: argv, resources: {} }],
        restartPolicy: resource?.kind === "Workload" ? resource.run.restartPolicy : "Always",
      },
      status: {
        phase: phaseOf(replica),
        conditions: [{ type: "Ready", status: ready, lastProbeTime: null, ...(started ? { lastTransitionTime: wholeSeconds(started) } : {}) }],
        ...(started ? { startTime: wholeSeconds(started) } : {}),
        containerStatuses: [
          {
            name: CONTAINER,
            image: "",
            imageID: "",
            ready: replica.ready,
            started: replica.state.running !== undefined,
            restartCount: replica.restartCount,
            state: stateOf(replica.state),
            lastState: replica.lastState ? stateOf(replica.lastState) : {},
          },
        ],
      },
    };
  });
}

function phaseOf({ state: { running, terminated } }: ReplicaStatus): string {
  if (running) return "Running";
  if (terminated) return terminated.exitCode === 0 ? "Succeeded" : "Failed";
  return "Pending";
}

/** core/v1 knows exit codes and signals as numbers; a process that a signal ended has 128 and more. */
function stateOf({ running, waiting, terminated }: ContainerState): unknown {
  if (running) return { running: { startedAt: wholeSeconds(running.startedAt) } };
  if (waiting) return { waiting };
  if (!terminated) return {};
  const { exitCode, reason, message, startedAt, finishedAt } = terminated;
  return {
    terminated: {
      exitCode: exitCode ?? 137,
      reason,
      ...(message ? { message } : {}),
      startedAt: wholeSeconds(startedAt),
      finishedAt: wholeSeconds(finishedAt),
    },
  };
}

/** core/v1's Event. `count`: how many there have been of this controller; it makes the name. */
export function eventOf(event: Event, count: number, { node, root }: Place): Served {
  const [kind = "", name = ""] = event.object === "Host" ? ["Node", node] : event.object.split("/");
  const time = wholeSeconds(event.eventTime);
  const involved = {
    apiVersion: event.object === "Host" ? "v1" : API_VERSION,
    kind,
    name,
    uid: uidOf(root, kind, name),
  };
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name: `${name}.${Date.parse(event.eventTime).toString(16)}${count.toString(16).padStart(4, "0")}`.toLowerCase(),
      namespace: NAMESPACE,
      uid: uidOf(root, event.eventTime, String(count), event.object, event.note),
      creationTimestamp: time,
    },
    involvedObject: involved,
    reason: event.reason,
    message: event.source ? `${event.note} (${event.source})` : event.note,
    type: event.type,
    source: { component: "holdfast", host: node },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    eventTime: null,
    reportingComponent: "holdfast.dev/controller",
    reportingInstance: node,
  };
}

/** What the host has: bytes of memory, CPUs. */
export interface Capacity {
  readonly cpus: number;
  readonly memory: number;
  readonly kernel: string;
  readonly architecture: string;
}

export function nodeOf({ node, root, version }: Place, { cpus, memory, kernel, architecture }: Capacity, since: string): Served {
  const resources = { cpu: String(cpus), memory: `${Math.floor(memory / 1024)}Ki`, pods: "1000000" };
  const now = wholeSeconds(since);
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: node, uid: uidOf(root, "Node", node), creationTimestamp: now, labels: { "kubernetes.io/hostname": node, "kubernetes.io/os": "linux" } },
    spec: {},
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [
        { type: "Ready", status: "True", reason: "ControllerReady", message: "the controller is at work", lastHeartbeatTime: now, lastTransitionTime: now },
      ],
      nodeInfo: {
        kubeletVersion: `v${version}`,
        kernelVersion: kernel,
        operatingSystem: "linux",
        architecture: architecture === "x64" ? "amd64" : architecture,
      },
    },
  };
}

export const namespaceOf = ({ root }: Place, since: string): Served => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: NAMESPACE, uid: uidOf(root, "Namespace"), creationTimestamp: wholeSeconds(since), labels: { "kubernetes.io/metadata.name": NAMESPACE } },
  spec: {},
  status: { phase: "Active" },
});
