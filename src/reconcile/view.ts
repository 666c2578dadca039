/** Knows an object as `get -o yaml` shows it: what was declared, and what is. */
import type { Kind, ObjectKey, Resource } from "../api/resource.ts";
import { API_VERSION } from "../api/schemas.ts";
import type { ObjectView } from "../api/status.ts";
import type { Desired } from "../plan/desired.ts";
import type { Remembered } from "./report.ts";

export function viewOf(resource: Resource, remembered: Remembered | undefined): ObjectView[] {
  if (!remembered) return [];
  const { name, labels, annotations, kind, spec } = resource;
  const metadata = {
    name,
    generation: remembered.generation,
    ...(remembered.created === undefined ? {} : { creationTimestamp: remembered.created }),
    ...(Object.keys(labels).length ? { labels } : {}),
    ...(Object.keys(annotations).length ? { annotations } : {}),
  };
  return [{ apiVersion: API_VERSION, kind, metadata, spec, status: remembered.status }];
}

/** An object that is in force by an earlier version of its manifest. */
function viewOfKept(key: ObjectKey, { generation, spec, status }: Remembered): ObjectView {
  const [kind = "", name = ""] = key.split("/");
  return { apiVersion: API_VERSION, kind: kind as Kind, metadata: { name, generation }, spec: JSON.parse(spec || "{}") as unknown, status };
}

/** All objects: what is declared and, while manifests are broken, what the controller has in force and cannot be read now. */
export function viewsOf(desired: Desired, status: ReadonlyMap<ObjectKey, Remembered>, inForce: ReadonlyMap<ObjectKey, Remembered>): ObjectView[] {
  const declared = [...desired.resources.values()].flatMap((resource) => viewOf(resource, status.get(resource.key)));
  const kept = desired.held ? [...inForce].flatMap(([key, remembered]) => (desired.resources.has(key) ? [] : [viewOfKept(key, remembered)])) : [];
  return [...declared, ...kept];
}
