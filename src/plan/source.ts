/** Knows which field of its object's manifest is behind an action. */
import type { Resource } from "../api/resource.ts";
import { pointerPart } from "../api/schemas.ts";
import { lineOf } from "../manifest/locate.ts";
import type { Action } from "./action.ts";
import { canonical } from "./same.ts";

/** `manifests/a.yaml:7`. */
export function sourceOf(action: Action, resource: Resource): string {
  return lineOf(resource.origin, pointerOfAction(action, resource));
}

function pointerOfAction(action: Action, resource: Resource): string {
  if (action.type === "write") return pointerOf(action.knob);
  if (action.type !== "join" || resource.kind !== "LimitGroup") return "/metadata/name";
  const index = resource.members.findIndex((rule) => canonical(rule) === action.record.rule);
  return index < 0 ? "/spec/members" : `/spec/members/${index}`;
}

/** `/spec/limits/memory.max` or `/spec/frozen`. */
export function pointerOf(knob: string): string {
  return knob === "frozen" ? "/spec/frozen" : `/spec/limits/${pointerPart(knob)}`;
}
