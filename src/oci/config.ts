/** Knows how a confined workload is described to an OCI runtime: config.json of its bundle (OCI runtime-spec 1.0.2). */
import type { Capability } from "../api/capabilities.ts";
import type { Confinement } from "../api/confinement.ts";
import type { Identity } from "../api/resource.ts";
import type { ConfinementFacts } from "./engine.ts";
import { mountsOf } from "./mounts.ts";
import { resolveSeccomp, type SeccompProfile } from "./seccomp.ts";
import { RUNTIME_DEFAULT } from "./seccompDefault.ts";

/** A device node as the runtime-spec describes it. */
export interface DeviceNode {
  readonly path: string;
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** All that a container is made of. */
export interface Container {
  readonly confinement: Confinement;
  readonly facts: ConfinementFacts;
  /** Of type Localhost. */
  readonly profile: SeccompProfile | undefined;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** As written: an image has its own names. */
  readonly identity: Pick<Identity, "user" | "group" | "supplementaryGroups">;
  readonly umask: string | undefined;
  readonly oomScoreAdj: number | undefined;
  readonly rlimits: readonly { readonly type: string; readonly soft: string; readonly hard: string }[];
  readonly cwd: string;
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly hostname: string;
}

/** What only the host can say when it starts. */
export interface Placement {
  /** Where the runtime puts it, from the mount of each hierarchy; undefined: it is put there by others, and stays. */
  readonly cgroupsPath: string | undefined;
  readonly devices: readonly DeviceNode[];
  /** The seccomp profile as crun compiled it before. */
  readonly filter: Uint8Array | undefined;
}

/** Where programs are looked for when a manifest does not say where. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const prefixed = (names: readonly Capability[]): string[] => names.map((name) => `CAP_${name}`);

/** `process` of a config, which is also what a command inside a running container is started with. */
export function processOf({ confinement, facts, user, umask, oomScoreAdj, rlimits, cwd, env }: Container, args: readonly string[]) {
  const { added, noNewPrivileges, appArmor, seLinux } = confinement;
  const bounding = confinement.capabilities.filter((name) => facts.capabilities.includes(name));
  // Only user 0 has capabilities by what it is; another one has those that are ambient.
  const effective = user.uid === 0 ? bounding : bounding.filter((name) => added.includes(name));
  const kept = user.uid === 0 ? [] : effective;
  return {
    terminal: false,
    user: {
      uid: user.uid,
      gid: user.gid,
      ...(user.groups.length > 0 ? { additionalGids: user.groups } : {}),
      ...(umask === undefined ? {} : { umask: Number.parseInt(umask, 8) }),
    },
    args,
    env: (env.some(([name]) => name === "PATH") ? env : [["PATH", DEFAULT_PATH] as const, ...env]).map(([name, value]) => `${name}=${value}`),
    cwd,
    capabilities: {
      bounding: prefixed(bounding),
      permitted: prefixed(effective),
      effective: prefixed(effective),
      inheritable: prefixed(kept),
      ambient: prefixed(kept),
    },
    ...(rlimits.length > 0 ? { rlimits: rlimits.map(({ type, soft, hard }) => ({ type, soft: amount(soft), hard: amount(hard) })) } : {}),
    noNewPrivileges,
    ...(appArmor === undefined ? {} : { apparmorProfile: appArmor }),
    ...(seLinux === undefined ? {} : { selinuxLabel: seLinux }),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
  };
}

/** No word that reaches a process can have a NUL in it: it marks what jsonOf() writes as a number. */
const MARK = "\0";

/** RLIM_INFINITY is the largest number of 64 bits; JavaScript's numbers end before. */
const amount = (text: string): string => `${MARK}${text === "unlimited" ? 2n ** 64n - 1n : text}`;

/** JSON with the numbers that JavaScript has no room for. */
export const jsonOf = (config: unknown): string => JSON.stringify(config).replaceAll(/"\\u0000(\d+)"/g, "$1");

export function configOf(container: Container, args: readonly string[], { cgroupsPath, devices, filter }: Placement) {
  const { confinement, facts, hostname } = container;
  const { namespaces, userNamespace, maskedPaths, readonlyPaths, privileged, seLinux } = confinement;
  const own = namespaces.includes("mount");
  const isRunc = !("problem" in facts.engine) && facts.engine.kind === "runc";
  const seccomp = seccompOf(container);
  return {
    ociVersion: "1.0.2",
    // Without a mount namespace the runtime must mount nothing: it would be the host's own root that it makes read-only.
    root: own ? { path: "rootfs", readonly: confinement.readOnlyRoot || !confinement.image } : { path: "/", readonly: false },
    process: processOf(container, args),
    ...(namespaces.includes("uts") ? { hostname } : {}),
    // crun takes it instead of compiling the profile below, which costs it most of a start; a runtime that does not know it compiles that.
    ...(seccomp && filter ? { annotations: { "run.oci.seccomp_bpf_data": Buffer.from(filter).toString("base64") } } : {}),
    mounts: own ? mountsOf(confinement, facts, cgroupsPath !== undefined && !isRunc) : [],
    linux: {
      namespaces: [...namespaces.map((type) => ({ type })), ...(userNamespace ? [{ type: "user" }] : [])],
      ...(userNamespace ?? {}),
      ...(cgroupsPath === undefined ? {} : { cgroupsPath }),
      resources: { devices: privileged || !own ? [{ allow: true, access: "rwm" }] : deviceRules(devices) },
      ...(own && !privileged ? { devices: devices.map(({ access: _, ...node }) => node) } : {}),
      ...(seccomp ? { seccomp } : {}),
      ...(own ? { maskedPaths, readonlyPaths } : {}),
      ...(own && seLinux !== undefined ? { mountLabel: seLinux } : {}),
    },
  };
}

export function seccompOf({ confinement, facts, profile }: Pick<Container, "confinement" | "facts" | "profile">) {
  const written = confinement.seccomp.type === "RuntimeDefault" ? RUNTIME_DEFAULT : profile;
  if (!written || confinement.seccomp.type === "Unconfined") return undefined;
  const capabilities = prefixed(confinement.capabilities.filter((name) => facts.capabilities.includes(name)));
  return resolveSeccomp(written, { arch: facts.arch, kernel: facts.kernel, capabilities }, confinement.logSeccomp);
}

/** Of the kernel's own devices those that every program may need: null, zero, full, random, urandom, tty, ptmx, pts (admin-guide/devices). */
const ORDINARY = [...[3, 5, 7, 8, 9].map((minor) => ({ major: 1, minor })), ...[0, 2].map((minor) => ({ major: 5, minor })), { major: 136, minor: undefined }];

/** Everything is denied, also making a node, but for these. */
export function deviceRules(devices: readonly DeviceNode[]) {
  return [
    { allow: false, access: "rwm" },
    ...ORDINARY.map(({ major, minor }) => ({ allow: true, type: "c", major, ...(minor === undefined ? {} : { minor }), access: "rwm" })),
    // The runtime makes the node from inside: one more of what is there anyway.
    ...devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access: access.includes("m") ? access : `${access}m` })),
  ];
}
