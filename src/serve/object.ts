/** Knows the shape of objects of Kubernetes' API, as far as it is served here (apimachinery's meta/v1). */
import type { Kind, ObjectKey } from "../api/resource.ts";

export interface Meta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    readonly controller: boolean;
  }[];
}

export interface Served {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Meta;
  readonly [field: string]: unknown;
}

/** `Workload/web`: of Holdfast's own kinds. */
export const objectKeyOf = ({ kind, metadata }: Pick<Served, "kind" | "metadata">): ObjectKey => `${kind as Kind}/${metadata.name}`;

/** The namespace of what has one; Holdfast's own kinds have none. */
export const NAMESPACE = "default";

/** RFC 3339 in whole seconds, as metav1.Time has it. */
export const wholeSeconds = (time: string): string => `${time.slice(0, 19)}Z`;
