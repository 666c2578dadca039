/** Knows what a valid object is after reading: canonical limits, every default filled in, and where it was written. */
import type { Limits } from "./limits.ts";

/** Where a document stands: enough to find the line of any field again, without keeping a syntax tree. */
export interface Origin {
  /** Path of the file as a person would type it. */
  readonly file: string;
  /** Line of the file on which the document's text begins, from 1. */
  readonly line: number;
  readonly text: string;
}

export type Kind = "LimitGroup" | "Workload";

/** `Workload/nightly-backup`: the identity of an object. */
export type ObjectKey = `${Kind}/${string}`;

interface Common {
  readonly key: ObjectKey;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Name of the LimitGroup that it is inside of; undefined directly under the root cgroup. */
  readonly parent: string | undefined;
  readonly limits: Limits;
  readonly drift: "Repair" | "Report";
  /** The spec as it was written; two objects with equal specs are the same generation. */
  readonly spec: unknown;
  readonly origin: Origin;
}

export interface LimitGroupResource extends Common {
  readonly kind: "LimitGroup";
  readonly frozen: boolean;
}

export interface WorkloadResource extends Common {
  readonly kind: "Workload";
  readonly run: RunSpec;
}

/** How to run a workload; every default is filled in. */
export interface RunSpec {
  readonly replicas: number;
  readonly argv: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly envFrom: readonly { readonly file: string; readonly optional: boolean }[];
  readonly workingDir: string;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  readonly backoff: Backoff;
  readonly gracePeriodSeconds: number;
  readonly stopSignal: NodeJS.Signals;
  readonly logs: { readonly directory: string | undefined; readonly maxBytes: number; readonly maxFiles: number };
}

/** Pauses between restarts, in milliseconds. Kubernetes' numbers: 10s, doubling to 5m, anew after 10m. */
export interface Backoff {
  readonly initial: number;
  readonly factor: number;
  readonly max: number;
  readonly resetAfter: number;
}

export type Resource = LimitGroupResource | WorkloadResource;

/** The annotation that lets memory.max go below what is in use. */
export const FORCE_ANNOTATION = "holdfast.dev/force";

/** Longest path of an object's cgroup below the root, in characters: PATH_MAX (limits.h), less what the mount point and a file's name need. */
export const LONGEST_PATH = 3500;
