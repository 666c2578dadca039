/** Knows what a replica is started with on this machine: words, variables, identity, and the digest that tells revisions apart. */
import type * as Crypto from "node:crypto";
import { createRequire } from "node:module";
import type { RunSpec, WorkloadResource } from "../api/resource.ts";
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { confinementAsWritten, containerOf, lackOf } from "./confine.ts";
import type { DesiredReplica } from "./desired.ts";
import { expand } from "./expand.ts";
import { personOf, schedulingOf, shellsOwn, wrapOf } from "./identity.ts";

const require = createRequire(import.meta.url);

/** Loaded when first needed: a host without workloads never pays for it. */
const crypto = (): typeof Crypto => require("node:crypto");

/** The variable that tells a replica its number. */
const ORDINAL = "HOLDFAST_ORDINAL";

type Started = Pick<DesiredReplica, "argv" | "initCommands" | "env" | "wrap" | "container" | "revision" | "obstacle">;

export function commandOf(resource: WorkloadResource, ordinal: number, path: CgroupPath, machine: Machine): Started {
  const { run } = resource;
  const { variables, obstacle } = variablesOf(resource, ordinal, machine);
  const words = (argv: readonly string[]): string[] => argv.map((word) => expand(word, variables));
  const argv = words(run.argv);
  const initCommands = run.initCommands.map(({ name, argv: written }) => ({ name, argv: words(written) }));
  const declared = [...variables].filter(([name]) => name !== ORDINAL);
  const env = [...declared, [ORDINAL, String(ordinal)] as const];
  const confinement = confinementAsWritten(resource, machine.confinement);
  // What is not declared is not part of the digest: a new version of this program must not make a new revision.
  const more = {
    ...(initCommands.length > 0 ? { initCommands } : {}),
    ...run.identity,
    ...(run.logs.journald ? { journald: true } : {}),
    ...(confinement === undefined ? {} : { confinement }),
  };
  const revision = digest([path, argv, env, run.workingDir, run.logs.directory, ...(Object.keys(more).length > 0 ? [more] : [])]);
  const common = { argv, initCommands, env, revision };
  const how = run.confinement ? confined(resource, ordinal, common, variables, machine) : plain(run, common, variables, machine);
  return { ...common, wrap: [], container: undefined, ...how, obstacle: obstacle ?? how.obstacle };
}

type Common = Pick<Started, "argv" | "initCommands" | "env" | "revision">;

/** A process of the host, through programs that make it who it shall be. */
function plain({ identity }: RunSpec, { argv, env }: Common, variables: ReadonlyMap<string, string>, machine: Machine) {
  const wrapped = wrapOf(identity, machine);
  if ("obstacle" in wrapped) return { obstacle: wrapped.obstacle };
  const last = shellsOwn(env);
  // env(1) would take it for one more variable.
  const misread = last.length > 0 && argv[0]?.includes("=") ? `${argv[0]}: a program with = in its name cannot have such variables` : undefined;
  return { env: withLogin(wrapped.env, env, variables), wrap: [...wrapped.wrap, ...last], obstacle: misread };
}

/** A container: the runtime makes it who it shall be. */
function confined(resource: WorkloadResource, ordinal: number, common: Common, variables: ReadonlyMap<string, string>, machine: Machine) {
  const { identity, confinement } = resource.run;
  // Of an image, its own files tell who is who.
  const person = confinement?.image ? { uid: undefined, gid: undefined, groups: [], env: [] } : personOf(identity, machine);
  if ("obstacle" in person) return { obstacle: person.obstacle };
  const lack = lackOf(resource, machine);
  if (lack || !machine.confinement) return { obstacle: lack?.message ?? "" };
  if (confinement?.runAsNonRoot && !confinement.image && (person.uid ?? 0) === 0)
    return { obstacle: "runAsNonRoot: true, and it would run as user 0: declare another user" };
  const env = withLogin(person.env, common.env, variables);
  return { env, wrap: schedulingOf(identity), container: containerOf(resource, ordinal, machine.confinement, person, env), obstacle: undefined };
}

/** What a login would have set; the manifest's own variables win. */
const withLogin = (login: Started["env"], env: Started["env"], declared: ReadonlyMap<string, string>): Started["env"] => [
  ...login.filter(([name]) => !declared.has(name)),
  ...env,
];

/** The variables by name, each with those above it expanded in it, or why they cannot be worked out. */
function variablesOf({ run }: WorkloadResource, ordinal: number, machine: Machine): { variables: Map<string, string>; obstacle: string | undefined } {
  const variables = new Map<string, string>([[ORDINAL, String(ordinal)]]);
  let obstacle: string | undefined;
  for (const { file, optional } of run.envFrom) {
    const fact = machine.envFiles.get(file);
    if (fact && "variables" in fact) for (const [name, value] of fact.variables) variables.set(name, value);
    else if (fact) obstacle = `envFrom: ${file}: ${fact.problem}`;
    else if (!optional) obstacle = `envFrom: ${file} does not exist`;
  }
  for (const [name, value] of run.env) variables.set(name, expand(value, variables));
  // The number is Holdfast's to tell, whatever a file says.
  variables.set(ORDINAL, String(ordinal));
  return { variables, obstacle };
}

function digest(value: unknown): string {
  return crypto().createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}
