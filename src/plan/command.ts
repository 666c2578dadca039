/** Knows what a replica is started with on this machine: words, variables, identity, and the digest that tells revisions apart. */
import type * as Crypto from "node:crypto";
import { createRequire } from "node:module";
import type { WorkloadResource } from "../api/resource.ts";
import type { Machine } from "../cgroup/machine.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { DesiredReplica } from "./desired.ts";
import { expand } from "./expand.ts";
import { shellsOwn, wrapOf } from "./identity.ts";

const require = createRequire(import.meta.url);

/** Loaded when first needed: a host without workloads never pays for it. */
const crypto = (): typeof Crypto => require("node:crypto");

/** The variable that tells a replica its number. */
const ORDINAL = "HOLDFAST_ORDINAL";

type Started = Pick<DesiredReplica, "argv" | "initCommands" | "env" | "wrap" | "revision" | "obstacle">;

export function commandOf(resource: WorkloadResource, ordinal: number, path: CgroupPath, machine: Machine): Started {
  const { run } = resource;
  const { variables, obstacle } = variablesOf(resource, ordinal, machine);
  const identity = wrapOf(run.identity, machine);
  const words = (argv: readonly string[]): string[] => argv.map((word) => expand(word, variables));
  const argv = words(run.argv);
  const initCommands = run.initCommands.map(({ name, argv: written }) => ({ name, argv: words(written) }));
  const declared = [...variables].filter(([name]) => name !== ORDINAL);
  const env = [...declared, [ORDINAL, String(ordinal)] as const];
  // What is not declared is not part of the digest: a new version of this program must not make a new revision.
  const more = { ...(initCommands.length > 0 ? { initCommands } : {}), ...run.identity, ...(run.logs.journald ? { journald: true } : {}) };
  const revision = digest([path, argv, env, run.workingDir, run.logs.directory, ...(Object.keys(more).length > 0 ? [more] : [])]);
  if ("obstacle" in identity) return { argv, initCommands, env, wrap: [], revision, obstacle: obstacle ?? identity.obstacle };
  const last = shellsOwn(env);
  // env(1) would take it for one more variable.
  const misread = last.length > 0 && argv[0]?.includes("=") ? `${argv[0]}: a program with = in its name cannot have such variables` : undefined;
  const login = identity.env.filter(([name]) => !variables.has(name));
  return { argv, initCommands, env: [...login, ...env], wrap: [...identity.wrap, ...last], revision, obstacle: obstacle ?? misread };
}

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
