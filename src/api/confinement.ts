/** Knows what a confined workload is given and denied; every default is filled in. */
import type { Capability } from "./capabilities.ts";

export type Namespace = "pid" | "mount" | "network" | "ipc" | "uts" | "cgroup";

export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** A root file system from an image. */
export type Image = {
  /** Of the manifest in a layout, of the file of an archive: `sha256:…`. */
  readonly digest: string;
  readonly verify: { readonly publicKey: string; readonly identity: string } | undefined;
  /** Room for what is written to it, bytes. */
  readonly writable: string;
  /** What the image says, because the manifest does not. */
  readonly takes: readonly ImageField[];
} & ({ readonly layout: string } | { readonly archive: string });

export type ImageField = "entrypoint" | "cmd" | "workingDir" | "user";

export interface Confinement {
  readonly privileged: boolean;
  /** The bounding set, as far as the host has it. */
  readonly capabilities: readonly Capability[];
  /** Those that somebody asked for by name: ambient for a user other than root, and the host must have them. */
  readonly added: readonly Capability[];
  readonly noNewPrivileges: boolean;
  readonly runAsNonRoot: boolean;
  readonly readOnlyRoot: boolean;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp: { readonly type: "RuntimeDefault" | "Unconfined" } | { readonly type: "Localhost"; readonly file: string };
  /** Calls that are not allowed are logged. */
  readonly logSeccomp: boolean;
  /** Name of a loaded profile. */
  readonly appArmor: string | undefined;
  /** `user:role:type:level`. */
  readonly seLinux: string | undefined;
  /** Those that are its own. */
  readonly namespaces: readonly Namespace[];
  readonly userNamespace: { readonly uidMappings: readonly IdMapping[]; readonly gidMappings: readonly IdMapping[] } | undefined;
  /** Undefined: the workload's name and the replica's number. */
  readonly hostname: string | undefined;
  /** Outer ones first. */
  readonly volumes: readonly Volume[];
  readonly devices: readonly Device[];
  /** Undefined: the host's own programs. */
  readonly image: Image | undefined;
}

export type Volume = { readonly mountPath: string; readonly readOnly: boolean } & (
  | { readonly hostPath: string; readonly idmap: boolean }
  | { readonly size: string; readonly mode: string }
);

interface Device {
  readonly path: string;
  /** Of `r`, `w` and `m` (mknod). */
  readonly access: string;
}

/** The annotation that allows a workload to be privileged. */
export const PRIVILEGED_ANNOTATION = "holdfast.dev/privileged";
