/** Knows how an object's limits are spelled on this machine: settings of kernel files, or problems that say what is missing. */
import type { LimitName, LimitValue } from "../api/limits.ts";
import type { Problem, ProblemReason } from "../api/problem.ts";
import type { Resource } from "../api/resource.ts";
import { pointerPart } from "../api/schemas.ts";
import type { Setting } from "../cgroup/knobs.ts";
import { type Machine, placeOf } from "../cgroup/machine.ts";
import { problemOf } from "./problemOf.ts";

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
  const report: Report = (name, reason, message, hint, below = "") => {
    problems.push(problemOf(resource, reason, `/spec/limits/${pointerPart(name)}${below}`, message, hint ? { hint } : {}));
  };
  for (const name of Object.keys(resource.limits) as LimitName[]) {
    const place = placeOf(name, machine);
    if ("missing" in place) {
      report(name, "KnobUnsupported", place.missing, place.hint);
      continue;
    }
    const { hierarchy, controller, spelling } = place;
    const disks = new Map<string, string>();
    const spelled = spelling.spell(resource.limits[name] as LimitValue, resource.limits, (device) => deviceOf(resource, machine, device, disks, report));
    if (typeof spelled === "string") {
      report(name, "KnobUnsupported", spelled);
      continue;
    }
    needs.add(`${hierarchy.id}:${controller}`);
    for (const { file, key, value } of spelled) settings.push({ file, key, value: file.settle(value, machine.pageSize) });
  }
  return { needs, settings, problems };
}

type Report = (name: LimitName, reason: ProblemReason, message: string, hint?: string, below?: string) => void;

/** The number of a disk that io.max names; `disks`: those named so far. */
function deviceOf(resource: Resource, machine: Machine, device: string, disks: Map<string, string>, report: Report): string | undefined {
  const fact = machine.devices.get(device);
  const index = Object.keys(resource.limits["io.max"] ?? {}).indexOf(device);
  if (fact && "number" in fact) {
    const other = disks.get(fact.number);
    if (other === undefined || other === device) {
      disks.set(fact.number, device);
      return fact.number;
    }
    report("io.max", "InvalidLimit", `expected each disk once: ${device} is ${other}`, "what is declared first is in force", `/${index}/device`);
    return undefined;
  }
  report("io.max", "DeviceNotFound", fact?.problem ?? `expected a disk, found no ${device}`, fact?.hint, `/${index}/device`);
  return undefined;
}
