/** Profiles as Docker writes them, resolved for a host; and what is no profile. */
import { describe, expect, test } from "@jest/globals";
import { resolveSeccomp, type SeccompProfile, whyNoProfile } from "../../src/oci/seccomp.ts";

const HOST = { arch: "arm64", kernel: "5.10.0-1", capabilities: ["CAP_CHOWN", "CAP_KILL"] };
const kept = (rule: object, host = HOST): boolean =>
  resolveSeccomp({ defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ names: ["x"], action: "SCMP_ACT_ALLOW", ...rule }] }, host, false).syscalls.length === 1;

describe("a rule", () => {
  test.each<[string, object, boolean]>([
    ["without conditions stays", {}, true],
    ["stays for its architecture", { includes: { arches: ["arm64"] } }, true],
    ["goes for another one", { includes: { arches: ["amd64"] } }, false],
    ["stays with all of its capabilities", { includes: { caps: ["CAP_CHOWN", "CAP_KILL"] } }, true],
    ["goes without one of them", { includes: { caps: ["CAP_CHOWN", "CAP_BPF"] } }, false],
    ["goes with any of those that exclude it", { excludes: { caps: ["CAP_BPF", "CAP_KILL"] } }, false],
    ["goes for an excluded architecture", { excludes: { arches: ["arm64"] } }, false],
    ["stays from its kernel on", { includes: { minKernel: "5.10" } }, true],
    ["goes for an older kernel", { includes: { minKernel: "5.11" } }, false],
    ["goes when excluded from a kernel on", { excludes: { minKernel: "4.8" } }, false],
  ])("%s", (_, rule, expected) => expect(kept(rule)).toBe(expected));
});

test("architectures come from archMap, or as they are; the log flag is added once", () => {
  const archMap = [{ architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] }];
  expect(resolveSeccomp({ defaultAction: "SCMP_ACT_ALLOW", archMap }, HOST, true)).toEqual({
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    flags: ["SECCOMP_FILTER_FLAG_LOG"],
    syscalls: [],
  });
  const profile: SeccompProfile = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86"], flags: ["SECCOMP_FILTER_FLAG_LOG"], syscalls: null };
  expect(resolveSeccomp(profile, HOST, true)).toMatchObject({ architectures: ["SCMP_ARCH_X86"], flags: ["SECCOMP_FILTER_FLAG_LOG"] });
});

test.each<[unknown, string | undefined]>([
  [{ defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW" }] }, undefined],
  [[], "expected a JSON object"],
  [{ defaultAction: "ERRNO" }, "expected a defaultAction such as SCMP_ACT_ERRNO"],
  [{ defaultAction: "SCMP_ACT_ALLOW", architectures: ["a"], archMap: [{ architecture: "a" }] }, "expected architectures or archMap, found both"],
  [
    { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ name: "a", names: ["a"], action: "SCMP_ACT_ALLOW" }] },
    "expected syscalls[0] to have names (or name, not both)",
  ],
  [{ defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: [], action: "SCMP_ACT_ALLOW" }] }, "expected syscalls[0].names to be names of system calls"],
  [{ defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["a"], action: "ALLOW" }] }, "expected syscalls[0].action to be one such as SCMP_ACT_ALLOW"],
  [
    { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["a"], action: "SCMP_ACT_ALLOW", includes: { cap: [] } }] },
    "expected includes and excludes of syscalls[0] to be of caps, arches, minKernel",
  ],
])("%j", (profile, expected) => expect(whyNoProfile(profile)).toBe(expected));
