/** Knows what of a confinement this machine can give, and what a container is made of; what it cannot give is a problem, never less. */
import type { Problem } from "../api/problem.ts";
import type { WorkloadResource } from "../api/resource.ts";
import type { Machine } from "../cgroup/machine.ts";
import type { Container } from "../oci/config.ts";
import type { ConfinementFacts } from "../oci/engine.ts";
import { isAtLeast, type SeccompProfile } from "../oci/seccomp.ts";
import { problemOf } from "./problemOf.ts";
import { canonical } from "./same.ts";

/** Recursive read-only mounts (mount_setattr(2)). */
const READ_ONLY_BELOW = "5.12";

/** Why this machine cannot confine it as declared; undefined when it can, or need not. */
export function lackOf(resource: WorkloadResource, { confinement: facts, uid }: Machine): Problem | undefined {
  const { confinement } = resource.run;
  if (!confinement) return undefined;
  const problem = (pointer: string, message: string, hint: string): Problem => problemOf(resource, "ConfinementUnavailable", pointer, message, { hint });
  if (!facts) return problem("/spec", "what this host has for confined workloads was not looked up", "");
  const { engine, capabilities, seccompProfiles } = facts;
  const { added, seccomp, appArmor, seLinux, userNamespace, namespaces } = confinement;
  const anchor = anchorOf(resource);
  if ("problem" in engine) return problem(anchor, `${engine.problem}: a confined workload cannot be started`, engine.hint);
  if (uid !== 0 && confinement.image) return problem("/spec/image", "images are unpacked and mounted by root", "run the controller as root");
  if (uid !== 0 && !userNamespace) return problem(anchor, `the controller runs as user ${uid}, and can confine only in a user namespace`, userMapping(uid));
  if (engine.kind === "runc") {
    const beyond = beyondRunc(resource, uid);
    if (beyond) return problem(beyond.pointer, `${beyond.what}, and only runc is installed here`, "install crun: apt-get install crun, dnf install crun");
  }
  const context = "/spec/securityContext";
  const missing = added.find((name) => !capabilities.includes(name));
  if (missing !== undefined)
    return problem(
      `${context}/capabilities/add`,
      `Holdfast itself does not have the capability ${missing}`,
      "see CapBnd in /proc/self/status of the controller",
    );
  if (seccomp.type !== "Unconfined" && !facts.seccomp)
    return problem(anchor, "this kernel has no seccomp", "or write securityContext: {seccompProfile: {type: Unconfined}}");
  const profile = seccomp.type === "Localhost" ? seccompProfiles[seccomp.file] : undefined;
  if (seccomp.type === "Localhost" && (!profile || "problem" in profile))
    return problem(
      `${context}/seccompProfile/localhostProfile`,
      `${seccomp.file} ${profile?.problem ?? "was not read"}`,
      "a profile in Docker's or the OCI's format",
    );
  if (appArmor !== undefined && !facts.appArmor)
    return problem(`${context}/appArmorProfile`, "AppArmor is not in use on this host", "see aa-status; the kernel's command line may need security=apparmor");
  if (appArmor !== undefined && !facts.appArmor?.includes(appArmor))
    return problem(
      `${context}/appArmorProfile/localhostProfile`,
      `no AppArmor profile ${appArmor} is loaded`,
      "load it with apparmor_parser -r FILE; aa-status lists those that are",
    );
  if (seLinux !== undefined && !facts.seLinux) return problem(`${context}/seLinuxOptions`, "SELinux is not in use on this host", "see getenforce");
  if (userNamespace && !facts.userNamespaces) return problem("/spec/namespaces/user", "this host allows no user namespaces", "sysctl user.max_user_namespaces");
  if (namespaces.includes("mount") && !isAtLeast(facts.kernel, READ_ONLY_BELOW))
    return problem(anchor, `Linux ${facts.kernel} cannot mount read-only with all that is mounted below`, `it takes Linux ${READ_ONLY_BELOW}`);
  return undefined;
}

/** What takes crun. */
function beyondRunc({ run: { confinement } }: WorkloadResource, uid: number): { readonly pointer: string; readonly what: string } | undefined {
  if (confinement?.logSeccomp) return { pointer: "/spec/securityContext/seccompProfile/log", what: "telling denied calls takes crun" };
  if (confinement?.volumes.some((volume) => "idmap" in volume && volume.idmap)) return { pointer: "/spec/volumes", what: "id-mapped volumes take crun" };
  return uid === 0 ? undefined : { pointer: "/spec", what: "confinement without root takes crun" };
}

const userMapping = (uid: number): string => `namespaces: {user: {uidMappings: [{containerID: 0, hostID: ${uid}, size: 1}]}}`;

/** The field that asks for confinement. */
function anchorOf({ spec }: WorkloadResource): string {
  const written = spec as Readonly<Record<string, unknown>>;
  return `/spec/${FIELDS.find((field) => written[field] !== undefined) ?? ""}`;
}

/** Fields of a spec that are about confinement. */
export const FIELDS = ["confined", "securityContext", "namespaces", "hostname", "volumes", "devices", "image"] as const;

/** What the digest of a revision must know of them: as written, so that another version of this program makes no other revision. */
export function confinementAsWritten(resource: WorkloadResource, facts: ConfinementFacts | undefined): string | undefined {
  const { confinement } = resource.run;
  if (!confinement) return undefined;
  const written = resource.spec as Readonly<Record<string, unknown>>;
  return canonical([...FIELDS.map((field) => written[field] ?? null), profileOf(resource, facts) ?? null]);
}

function profileOf({ run }: WorkloadResource, facts: ConfinementFacts | undefined): SeccompProfile | undefined {
  const { seccomp } = run.confinement ?? {};
  const fact = seccomp?.type === "Localhost" ? facts?.seccompProfiles[seccomp.file] : undefined;
  return fact && "profile" in fact ? fact.profile : undefined;
}

/** A container of one replica. */
export function containerOf(
  resource: WorkloadResource,
  ordinal: number,
  facts: ConfinementFacts,
  person: { readonly uid: number | undefined; readonly gid: number | undefined; readonly groups: readonly number[] },
  env: Container["env"],
): Container | undefined {
  const { run, name } = resource;
  const { confinement, identity, workingDir } = run;
  if (!confinement) return undefined;
  const { uid = 0, gid = 0, groups } = person;
  return {
    confinement,
    facts,
    profile: profileOf(resource, facts),
    user: { uid, gid, groups },
    umask: identity.umask,
    oomScoreAdj: identity.oomScoreAdj,
    rlimits: identity.rlimits ?? [],
    cwd: workingDir,
    env,
    identity,
    hostname: confinement.hostname ?? `${name}-${ordinal}`,
  };
}
