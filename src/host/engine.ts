/** Knows how to find out what this host has for confined workloads. */
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { release } from "node:os";
import { capabilitiesOf } from "../api/capabilities.ts";
import type { Controllers } from "../cgroup/hierarchy.ts";
import type { ConfinementFacts, Engine, Lack, ProfileFact } from "../oci/engine.ts";
import { type SeccompProfile, whyNoProfile } from "../oci/seccomp.ts";
import { NotReadable, readRegular } from "./regular.ts";
import { findProgram } from "./shell.ts";

/**
 * perl-base is part of every Debian; elsewhere Python. Nothing in util-linux or coreutils can make this one call of prctl(2).
 * The numbers of prctl are those of the kernel's tables.
 */
const PRCTL: Readonly<Record<string, number>> = { x64: 157, arm64: 167, riscv64: 167, arm: 172, s390x: 172, ppc64: 171, ia32: 172 };
const PR_SET_CHILD_SUBREAPER = 36;

function adopter(): readonly string[] | undefined {
  const [perl, python, prctl] = [findProgram("perl"), findProgram("python3"), PRCTL[process.arch]];
  if (perl !== undefined && prctl !== undefined)
    return [perl, "-e", `syscall(${prctl},${PR_SET_CHILD_SUBREAPER},1,0,0,0)==0 or die "prctl: $!\\n"; exec {$ARGV[0]} @ARGV or die "$ARGV[0]: $!\\n"`];
  if (python === undefined) return undefined;
  const code = `import ctypes,os,sys\nctypes.CDLL(None).prctl(${PR_SET_CHILD_SUBREAPER},1,0,0,0)==0 or sys.exit("prctl failed")\nos.execv(sys.argv[1],sys.argv[1:])`;
  return [python, "-I", "-S", "-c", code];
}

function findEngine({ all }: Controllers): Engine | Lack {
  const [crun, runc] = [findProgram("crun"), findProgram("runc")];
  const path = crun ?? runc;
  if (path === undefined) return { problem: "no OCI runtime is installed here", hint: "install crun: apt-get install crun, dnf install crun" };
  const adopting = adopter();
  if (!adopting) return { problem: "neither perl nor python3 is installed here, one of which keeps exit codes", hint: "apt-get install perl-base" };
  const unified = all.find(({ version, offered }) => version === 2 && offered.size > 0);
  const hide = crun !== undefined && unified && all.some(({ version }) => version === 1) ? unified.mount : undefined;
  return { kind: crun === undefined ? "runc" : "crun", path, adopter: adopting, hide };
}

/**
 * What programs need of a host that are not in an image: the programs themselves, and of /etc what the C library, TLS and time
 * zones look up. No passwords, keys, or anybody's configuration.
 */
const SYSTEM = [
  ...["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"],
  ...["alternatives", "ca-certificates", "ca-certificates.conf", "gai.conf", "group", "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"].map(
    inEtc,
  ),
  ...["localtime", "mime.types", "nsswitch.conf", "os-release", "passwd", "pki/ca-trust", "pki/tls/certs", "pki/tls/cert.pem", "protocols"].map(inEtc),
  ...["resolv.conf", "services", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone"].map(inEtc),
];

function inEtc(name: string): string {
  return `/etc/${name}`;
}

function systemPaths(): ConfinementFacts["system"] {
  return SYSTEM.flatMap((path) => {
    const target = linkOf(path);
    // /bin and its kind point to /usr: the same links are made inside. What else is a link is shown as what it leads to.
    if (target !== undefined && !path.startsWith("/etc/")) return [{ path, target }];
    return statSync(path, { throwIfNoEntry: false }) ? [{ path }] : [];
  });
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** `web (enforce)`, a line each. */
function loadedProfiles(): readonly string[] | undefined {
  if (textOf("/sys/module/apparmor/parameters/enabled")?.trim() !== "Y") return undefined;
  const lines = (textOf("/sys/kernel/security/apparmor/profiles") ?? "").split("\n");
  return lines.map((line) => line.replace(/ \([a-z]+\)$/, "")).filter(Boolean);
}

const LARGEST_PROFILE = 1024 * 1024;

function readProfile(file: string): ProfileFact {
  try {
    const profile: unknown = JSON.parse(readRegular(file, LARGEST_PROFILE).toString("utf8"));
    const problem = whyNoProfile(profile);
    return problem === undefined ? { profile: profile as SeccompProfile } : { problem };
  } catch (error) {
    const { message } = error as Error;
    return { problem: error instanceof NotReadable ? message : `is no JSON: ${message}` };
  }
}

/** `profiles`: seccomp profiles that manifests mention. */
export function confinementFacts(controllers: Controllers, profiles: ReadonlySet<string>): ConfinementFacts {
  const status = textOf("/proc/self/status") ?? "";
  return {
    engine: findEngine(controllers),
    capabilities: capabilitiesOf(/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"),
    arch: process.arch,
    kernel: release(),
    seccomp: /^Seccomp:/m.test(status),
    appArmor: loadedProfiles(),
    seLinux: textOf("/sys/fs/selinux/enforce") !== undefined,
    userNamespaces: Number(textOf("/proc/sys/user/max_user_namespaces") ?? 0) > 0,
    system: systemPaths(),
    seccompProfiles: Object.fromEntries([...profiles].map((file) => [file, readProfile(file)])),
  };
}
