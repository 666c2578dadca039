/** Knows how a seccomp profile as Docker, Kubernetes and podman write it becomes one that an OCI runtime takes: conditions resolved. */

interface Argument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

interface Condition {
  readonly caps?: readonly string[];
  /** As Go and Docker call them: `amd64`. */
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

interface Rule {
  readonly name?: string;
  readonly names?: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly Argument[] | null;
  readonly includes?: Condition;
  readonly excludes?: Condition;
}

/** A profile with Docker's extensions to the OCI runtime-spec's `linux.seccomp`: archMap, includes, excludes. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures?: readonly string[] | null }[];
  readonly flags?: readonly string[];
  readonly syscalls?: readonly Rule[] | null;
}

/** What the OCI runtime-spec calls `linux.seccomp`. */
export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly { names: readonly string[]; action: string; errnoRet?: number; args?: readonly Argument[] }[];
}

/** What conditions are about. */
export interface SeccompHost {
  /** As Node calls it: `x64`. */
  readonly arch: string;
  /** `6.1.0-13-amd64`. */
  readonly kernel: string;
  /** The bounding set that the workload will have, `CAP_…`. */
  readonly capabilities: readonly string[];
}

const ARCHES: Readonly<Record<string, readonly [docker: string, oci: string]>> = {
  x64: ["amd64", "SCMP_ARCH_X86_64"],
  arm64: ["arm64", "SCMP_ARCH_AARCH64"],
  arm: ["arm", "SCMP_ARCH_ARM"],
  ia32: ["x86", "SCMP_ARCH_X86"],
  ppc64: ["ppc64le", "SCMP_ARCH_PPC64LE"],
  s390x: ["s390x", "SCMP_ARCH_S390X"],
  riscv64: ["riscv64", "SCMP_ARCH_RISCV64"],
};

const versionOf = (text: string): readonly [number, number] => {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major), Number(minor)];
};

/** Whether a kernel release is at least a version, `5.12`. */
export function isAtLeast(kernel: string, wanted: string): boolean {
  const [[major, minor], [wantedMajor, wantedMinor]] = [versionOf(kernel), versionOf(wanted)];
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/**
 * A rule stays unless its excludes hold (any of the capabilities, the architecture, a kernel as new) and if all of its includes
 * do (all of the capabilities); the semantics of Docker's seccomp_linux.go.
 */
function applies({ includes = {}, excludes = {} }: Rule, { arch, kernel, capabilities }: SeccompHost): boolean {
  const name = ARCHES[arch]?.[0] ?? arch;
  if (excludes.arches?.includes(name) || excludes.caps?.some((capability) => capabilities.includes(capability))) return false;
  if (excludes.minKernel !== undefined && isAtLeast(kernel, excludes.minKernel)) return false;
  if (includes.arches?.length && !includes.arches.includes(name)) return false;
  if (includes.caps?.some((capability) => !capabilities.includes(capability))) return false;
  return includes.minKernel === undefined || isAtLeast(kernel, includes.minKernel);
}

export function resolveSeccomp(profile: SeccompProfile, host: SeccompHost, log: boolean): OciSeccomp {
  const { defaultAction, defaultErrnoRet, archMap = [], syscalls } = profile;
  const own = archMap.find(({ architecture }) => architecture === ARCHES[host.arch]?.[1]);
  const architectures = own ? [own.architecture, ...(own.subArchitectures ?? [])] : (profile.architectures ?? []);
  const flags = [...new Set([...(profile.flags ?? []), ...(log ? [LOG] : [])])];
  const rules = (syscalls ?? [])
    .filter((rule) => applies(rule, host))
    .map(({ name, names, action, errnoRet, args }) => ({
      names: names ?? [name ?? ""],
      action,
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(args?.length ? { args } : {}),
    }));
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...(architectures.length > 0 ? { architectures } : {}),
    ...(flags.length > 0 ? { flags } : {}),
    syscalls: rules,
  };
}

/** Each call that is not allowed is logged by the kernel (seccomp(2), SECCOMP_FILTER_FLAG_LOG). */
const LOG = "SECCOMP_FILTER_FLAG_LOG";

/** What is wrong with a profile that somebody wrote; undefined when a runtime can take it. */
export function whyNoProfile(value: unknown): string | undefined {
  const isRecord = (it: unknown): it is Record<string, unknown> => typeof it === "object" && it !== null && !Array.isArray(it);
  const isText = (it: unknown): boolean => typeof it === "string" && it !== "";
  if (!isRecord(value)) return "expected a JSON object";
  if (typeof value["defaultAction"] !== "string" || !ACTION.test(value["defaultAction"])) return "expected a defaultAction such as SCMP_ACT_ERRNO";
  const { architectures, archMap, syscalls } = value;
  if (Array.isArray(architectures) && architectures.length > 0 && Array.isArray(archMap) && archMap.length > 0)
    return "expected architectures or archMap, found both";
  if (syscalls !== undefined && syscalls !== null && !Array.isArray(syscalls)) return "expected syscalls to be a list";
  for (const [index, rule] of ((syscalls ?? []) as unknown[]).entries()) {
    const place = `syscalls[${index}]`;
    if (!isRecord(rule)) return `expected ${place} to be an object`;
    if ((rule["name"] !== undefined) === (rule["names"] !== undefined)) return `expected ${place} to have names (or name, not both)`;
    const names = rule["names"] ?? [rule["name"]];
    if (!Array.isArray(names) || names.length === 0 || !names.every(isText)) return `expected ${place}.names to be names of system calls`;
    if (typeof rule["action"] !== "string" || !ACTION.test(rule["action"])) return `expected ${place}.action to be one such as SCMP_ACT_ALLOW`;
    for (const condition of [rule["includes"], rule["excludes"]])
      if (condition !== undefined && (!isRecord(condition) || Object.keys(condition).some((key) => !CONDITIONS.has(key))))
        return `expected includes and excludes of ${place} to be of ${[...CONDITIONS].join(", ")}`;
  }
  return undefined;
}

const ACTION = /^SCMP_ACT_(ALLOW|ERRNO|KILL|KILL_PROCESS|KILL_THREAD|LOG|TRAP|TRACE|NOTIFY)$/;
const CONDITIONS: ReadonlySet<string> = new Set(["caps", "arches", "minKernel"]);
