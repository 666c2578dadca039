/** Knows what makes a parsed document a valid object: its schema, the grammar of its limits, its defaults. */
import { LimitGroup as validLimitGroup, Workload as validWorkload } from "../../generated/validators.js";
import { contradiction, LIMIT_NAMES, LIMITS, type LimitName, type Limits, type LimitValue, OTHER_NAMES } from "../api/limits.ts";
import type { Problem, ProblemReason, Report } from "../api/problem.ts";
import { type Parsed, parseBytes, parseDuration } from "../api/quantity.ts";
import { type Kind, MEMBERS, type ObjectKey, type Origin, type Resource } from "../api/resource.ts";
import type { LimitGroup, Workload, Limits as WrittenLimits } from "../api/schema.ts";
import { API_VERSION, KINDS, pointerPart } from "../api/schemas.ts";
import { governs } from "./governs.ts";
import { locate } from "./locate.ts";
import { members } from "./members.ts";
import { runSpec } from "./runSpec.ts";
import { schemaProblems, shown } from "./schemaProblems.ts";
import { suggest } from "./suggest.ts";

/** A document that was read: its object when it is valid, and always what is known of its identity. */
export interface Validated {
  readonly key: ObjectKey | undefined;
  readonly resource: Resource | undefined;
  readonly problems: readonly Problem[];
}

const VALIDATORS = { LimitGroup: validLimitGroup, Workload: validWorkload };

/** Names that no LimitGroup can have: on cgroup v1 of a kernel file, and of the cgroup for what spec.members draws in. */
const RESERVED: Readonly<Record<string, string>> = {
  tasks: "tasks is a kernel file of every cgroup v1 directory",
  [MEMBERS]: `${MEMBERS} is the cgroup of the processes that a group draws in`,
};

export function validate(value: unknown, origin: Origin): Validated {
  const at = (reason: ProblemReason, pointer: string, message: string, hint?: string): Problem => ({
    reason,
    pointer,
    message,
    ...locate(origin, pointer),
    ...(hint ? { hint } : {}),
  });
  const broken = (...problems: Problem[]): Validated => ({ key: undefined, resource: undefined, problems });
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return broken(at("InvalidValue", "", `expected a mapping with apiVersion, kind and metadata, found ${shown(value)}`));
  const { apiVersion, kind, metadata } = value as { apiVersion?: unknown; kind?: unknown; metadata?: { name?: unknown } };
  if (kind === undefined) return broken(at("MissingField", "", "expected the field kind", `one of ${Object.keys(KINDS).join(", ")}`));
  if (typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) {
    const hint = typeof kind === "string" ? suggest(kind, Object.keys(KINDS)) : undefined;
    return broken(at("UnknownKind", "/kind", `expected ${Object.keys(KINDS).join(" or ")}, found ${shown(kind)}`, hint));
  }
  if (apiVersion !== undefined && apiVersion !== API_VERSION)
    return broken(at("UnknownKind", "/apiVersion", `expected ${API_VERSION}, found ${shown(apiVersion)}`));
  const name = typeof metadata?.name === "string" ? metadata.name : undefined;
  const key: ObjectKey | undefined = name === undefined ? undefined : `${kind as Kind}/${name}`;
  const check = VALIDATORS[kind as Kind];
  const problems: Problem[] = [];
  const report: Report = (reason, pointer, message, hint) => {
    // What is missing has no place but that of what it is missing in.
    const place = reason === "MissingField" ? locate(origin, pointer, "key") : {};
    problems.push({ ...at(reason, pointer, message, hint), ...place, ...(key ? { object: key } : {}) });
  };
  if (!check(value)) {
    const found = schemaProblems(kind as Kind, key, value, check.errors ?? [], origin);
    wellFormedLimits(value, found, report);
    if (kind === "Workload") wellFormedAmounts(value, found, report);
    return { key, resource: undefined, problems: [...found, ...problems] };
  }
  const resource = kind === "LimitGroup" ? limitGroup(value as LimitGroup, origin, report) : workload(value as Workload, origin, report);
  return { key, resource: problems.length > 0 ? undefined : resource, problems };
}

function limitGroup(manifest: LimitGroup, origin: Origin, report: Report): Resource {
  const { metadata, spec = {} } = manifest;
  const reserved = Object.hasOwn(RESERVED, metadata.name) ? RESERVED[metadata.name] : undefined;
  if (reserved !== undefined) report("InvalidValue", "/metadata/name", `expected another name: ${reserved}`);
  return {
    kind: "LimitGroup",
    ...common(manifest, spec, spec.parentRef?.name, origin, report),
    frozen: spec.frozen ?? false,
    members: members(spec.members ?? [], report),
    governs: governs(spec, report),
  };
}

function workload(manifest: Workload, origin: Origin, report: Report): Resource {
  const { metadata, spec } = manifest;
  const run = runSpec(spec, metadata.annotations ?? {}, report);
  return { kind: "Workload", ...common(manifest, spec, spec.limitGroupRef?.name, origin, report), run };
}

function common<K extends Kind>(
  manifest: { kind: K; metadata: LimitGroup["metadata"] },
  spec: { limits?: WrittenLimits; drift?: "Repair" | "Report"; ignore?: readonly string[] },
  parent: string | undefined,
  origin: Origin,
  report: Report,
) {
  const { name, labels = {}, annotations = {} } = manifest.metadata;
  const key: ObjectKey = `${manifest.kind}/${name}`;
  return {
    key,
    name,
    labels,
    annotations,
    parent,
    limits: limits(spec.limits ?? {}, report),
    drift: spec.drift ?? "Repair",
    ignore: ignored(spec.ignore ?? [], report),
    spec,
    origin,
  } as const;
}

/** All problems come at once: where the schema found some, the grammar of the limits that it found nothing wrong with is checked too. */
function wellFormedLimits(value: object, found: readonly Problem[], report: Report): void {
  const written = (value as { spec?: { limits?: unknown } | null }).spec?.limits;
  if (typeof written !== "object" || written === null || Array.isArray(written)) return;
  const sound = Object.entries(written).filter(
    ([name]) => Object.hasOwn(LIMITS, name) && !found.some(({ pointer }) => `${pointer}/`.startsWith(`/spec/limits/${pointerPart(name)}/`)),
  );
  limits(Object.fromEntries(sound) as WrittenLimits, report);
}

/** The same for what else has a grammar of its own. */
function wellFormedAmounts(value: object, found: readonly Problem[], report: Report): void {
  const { spec } = value as { spec?: { backoff?: Record<string, unknown>; logs?: Record<string, unknown> } | null };
  const check = (pointer: string, written: unknown, parse: (text: unknown) => Parsed<unknown>): void => {
    if (typeof written !== "string" || found.some((problem) => problem.pointer === pointer)) return;
    const parsed = parse(written);
    if ("bad" in parsed) report("InvalidValue", pointer, `expected ${parsed.bad}, found ${shown(written)}`, parsed.hint);
  };
  for (const field of ["initial", "max", "resetAfter"]) check(`/spec/backoff/${field}`, spec?.backoff?.[field], parseDuration);
  check("/spec/logs/maxSize", spec?.logs?.["maxSize"], parseBytes);
}

function ignored(names: readonly string[], report: Report): ReadonlySet<LimitName> {
  for (const [index, name] of names.entries())
    if (!Object.hasOwn(LIMITS, name))
      report("InvalidValue", `/spec/ignore/${index}`, `expected the name of a limit, found ${shown(name)}`, OTHER_NAMES[name] ?? suggest(name, LIMIT_NAMES));
  return new Set(names as LimitName[]);
}

function limits(written: WrittenLimits, report: Report): Limits {
  const canonical: Partial<Record<LimitName, LimitValue>> = {};
  for (const [name, value] of Object.entries(written) as [LimitName, unknown][]) {
    const parsed = LIMITS[name].parse(value);
    if ("ok" in parsed) canonical[name] = parsed.ok;
    else report("InvalidLimit", `/spec/limits/${pointerPart(name)}`, `expected ${parsed.bad}, found ${shown(value)}`, parsed.hint);
  }
  const conflict = contradiction(canonical);
  if (conflict) report("InvalidLimit", `/spec/limits/${conflict.name}`, conflict.message, conflict.hint);
  return canonical;
}
