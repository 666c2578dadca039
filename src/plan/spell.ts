/** Knows how an object's limits are spelled on this machine: settings of kernel files, or problems that say what is missing. */
import type { LimitName, LimitValue } from "../api/limits.ts";
import type { Problem, ProblemReason } from "../api/problem.ts";
import type { Resource } from "../api/resource.ts";
import { pointerPart } from "../api/schemas.ts";
import type { Setting } from "../cgroup/knobs.ts";
import { type Machine, placeOf } from "../cgroup/machine.ts";
import { locate } from "../manifest/locate.ts";

export interface Spelled {
  /** `hierarchy:controller` pairs that the settings need. */
  readonly needs: ReadonlySet<string>;
  readonly settings: readonly Setting[];
  readonly problems: readonly Problem[];
}

export function spellLimits(resource: Resource, machine: Machine): Spelled {
  const needs = new Set<string>();
  const settings: Setting[] = [];
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(resource.limits) as [LimitName, LimitValue][]) {
    const pointer = `/spec/limits/${pointerPart(name)}`;
    const report = (reason: ProblemReason, message: string, hint?: string, at = pointer): void => {
      problems.push({ reason, object: resource.key, pointer: at, message, ...locate(resource.origin, at, "key"), ...(hint ? { hint } : {}) });
    };
    const place = placeOf(name, machine);
    if ("missing" in place) {
      report("KnobUnsupported", place.missing, place.hint);
      continue;
    }
    const { hierarchy, controller, spelling } = place;
    const devices = Object.keys(resource.limits["io.max"] ?? {});
    const deviceOf = (device: string): string | undefined => {
      const fact = machine.devices.get(device);
      if (fact && "number" in fact) return fact.number;
      report("DeviceNotFound", fact?.problem ?? `expected a disk, found no ${device}`, fact?.hint, `${pointer}/${devices.indexOf(device)}/device`);
      return undefined;
    };
    const spelled = spelling.spell(value, resource.limits, deviceOf);
    if (typeof spelled === "string") {
      report("KnobUnsupported", spelled);
      continue;
    }
    needs.add(`${hierarchy.id}:${controller}`);
    for (const setting of spelled) settings.push({ ...setting, value: setting.file.settle(setting.value, machine.pageSize) });
  }
  return { needs, settings, problems };
}
