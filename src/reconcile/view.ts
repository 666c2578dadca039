/** Knows an object as `get -o yaml` shows it: what was declared, and what is. */
import type { Resource } from "../api/resource.ts";
import { API_VERSION } from "../api/schemas.ts";
import type { ObjectView } from "../api/status.ts";
import type { Remembered } from "./report.ts";

export function viewOf(resource: Resource, remembered: Remembered | undefined): ObjectView[] {
  if (!remembered) return [];
  const { name, labels, annotations, kind, spec } = resource;
  const metadata = {
    name,
    generation: remembered.generation,
    ...(Object.keys(labels).length ? { labels } : {}),
    ...(Object.keys(annotations).length ? { annotations } : {}),
  };
  return [{ apiVersion: API_VERSION, kind, metadata, spec, status: remembered.status }];
}
