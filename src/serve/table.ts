/** Knows objects as a table of meta.k8s.io/v1, which kubectl prints as it is. */
import type { Beside, ServedKind } from "./kinds.ts";
import type { Meta, Served } from "./object.ts";

export interface Table {
  readonly kind: "Table";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: { readonly resourceVersion: string };
  readonly columnDefinitions: readonly {
    readonly name: string;
    readonly type: string;
    readonly format: string;
    readonly description: string;
    readonly priority: number;
  }[];
  readonly rows: readonly { readonly cells: readonly (string | number)[]; readonly object?: unknown }[];
}

/** What each row has of its object besides the cells. */
export type Include = "Metadata" | "Object" | "None";

export function tableOf({ columns }: ServedKind, objects: readonly Served[], version: string, include: Include, beside: Beside): Table {
  const partial = (metadata: Meta) => ({ kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata });
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion: version },
    columnDefinitions: columns.map(({ name, type = "string", description, wide }) => ({
      name,
      type,
      format: name === "Name" ? "name" : "",
      description,
      priority: wide ? 1 : 0,
    })),
    rows: objects.map((object) => ({
      cells: columns.map(({ cell }) => cell(object, beside)),
      ...(include === "None" ? {} : { object: include === "Object" ? object : partial(object.metadata) }),
    })),
  };
}
