/** Knows what a host has for confined workloads: an OCI runtime, what helps it, and which mechanisms the kernel has. Facts, gathered by host/. */
import type { Capability } from "../api/capabilities.ts";
import type { SeccompProfile } from "./seccomp.ts";

/** What a workload needs and a host lacks. */
export interface Lack {
  readonly problem: string;
  readonly hint: string;
}

export interface Engine {
  /** crun leaves cgroups to Holdfast; runc does not, and makes one of its own below the replica's for each container. */
  readonly kind: "crun" | "runc";
  /** Its absolute path. */
  readonly path: string;
  /** Program and options that make a process adopt orphans (PR_SET_CHILD_SUBREAPER, prctl(2)) and execute what follows. */
  readonly adopter: readonly string[];
  /**
   * A cgroup2 mount that the runtime must not see: crun refuses to work where v2 has controllers beside v1's. It is hidden in a mount
   * namespace of crun's own.
   */
  readonly hide: string | undefined;
}

/** The content of a file with a seccomp profile, or what is wrong with it. */
export type ProfileFact = { readonly profile: SeccompProfile } | { readonly problem: string };

export interface ConfinementFacts {
  readonly engine: Engine | Lack;
  /** What this process itself may hand on. */
  readonly capabilities: readonly Capability[];
  /** As Node calls it: `x64`. */
  readonly arch: string;
  /** Release of the kernel, `6.1.0-13-amd64`. */
  readonly kernel: string;
  readonly seccomp: boolean;
  /** Names of loaded AppArmor profiles; undefined where AppArmor is not in use. */
  readonly appArmor: readonly string[] | undefined;
  readonly seLinux: boolean;
  readonly userNamespaces: boolean;
  /** Directories and files of the host that a root file system without an image shows; links by their target. */
  readonly system: readonly ({ readonly path: string } | { readonly path: string; readonly target: string })[];
  /** By file. */
  readonly seccompProfiles: Readonly<Record<string, ProfileFact>>;
}
