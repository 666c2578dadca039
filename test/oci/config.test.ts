/** What a runtime is told: never the host's own root to be changed, devices denied first, numbers of 64 bits whole. */
import { describe, expect, test } from "@jest/globals";
import { CAPABILITIES } from "../../src/api/capabilities.ts";
import { type Container, configOf, jsonOf } from "../../src/oci/config.ts";
import { manifestsOf, workload } from "../support/manifests.ts";

function container(spec: string, more: Partial<Container> = {}): Container {
  const resource = manifestsOf({ "a.yaml": workload("w", `{command: [x], ${spec}}`) }).resources.get("Workload/w");
  if (resource?.kind !== "Workload" || !resource.run.confinement) throw new Error("not confined");
  return {
    confinement: resource.run.confinement,
    facts: {
      engine: { kind: "crun", path: "/usr/bin/crun", adopter: [], hide: undefined },
      capabilities: CAPABILITIES.filter((name) => name !== "SYS_RESOURCE"),
      arch: "x64",
      kernel: "6.1.0",
      seccomp: true,
      appArmor: undefined,
      seLinux: false,
      userNamespaces: true,
      system: [{ path: "/usr" }, { path: "/bin", target: "usr/bin" }],
      seccompProfiles: {},
    },
    profile: undefined,
    user: { uid: 0, gid: 0, groups: [] },
    identity: {},
    umask: undefined,
    oomScoreAdj: undefined,
    rlimits: [],
    cwd: "/",
    env: [],
    hostname: "w-0",
    ...more,
  };
}
const config = (spec: string, more: Partial<Container> = {}) =>
  configOf(container(spec, more), ["x"], { cgroupsPath: undefined, devices: [], filter: undefined });

test("without a mount namespace nothing is mounted, hidden or made read-only: it would be the host's", () => {
  const { root, mounts, linux } = config("securityContext: {capabilities: {drop: [ALL]}}");
  expect({ root, mounts, namespaces: linux.namespaces }).toEqual({ root: { path: "/", readonly: false }, mounts: [], namespaces: [] });
  expect(Object.keys(linux).sort()).toEqual(["namespaces", "resources"]);
});

test("devices are denied before some are allowed", () => {
  const { devices } = config("confined: true").linux.resources;
  expect(devices[0]).toEqual({ allow: false, access: "rwm" });
  expect(devices.slice(1).every((rule) => "major" in rule && rule.allow)).toBe(true);
});

test("all that is shown of the host is read-only with what is mounted below, and links are not mounted", () => {
  const { mounts } = config("confined: true, volumes: [{hostPath: /srv, mountPath: /srv/a, readOnly: true}, {hostPath: /x, mountPath: /srv}]");
  expect(mounts.find(({ destination }) => destination === "/usr")?.options).toEqual(expect.arrayContaining(["rbind", "rro", "nosuid", "nodev"]));
  expect(mounts.some(({ destination }) => destination === "/bin")).toBe(false);
  expect(mounts.slice(-2).map(({ destination, options }) => [destination, options.includes("rro")])).toEqual([
    ["/srv", false],
    ["/srv/a", true],
  ]);
});

describe("the process", () => {
  test("has no capability that the host itself lacks", () => {
    const { capabilities } = config("securityContext: {allowPrivilegeEscalation: false}").process;
    expect(capabilities.bounding).toHaveLength(40);
    expect(capabilities.bounding).not.toContain("CAP_SYS_RESOURCE");
  });

  test("of another user than root has those that were added, also across execve", () => {
    const { capabilities } = config("confined: true, securityContext: {capabilities: {add: [NET_ADMIN]}}", { user: { uid: 1, gid: 1, groups: [] } }).process;
    for (const set of [capabilities.effective, capabilities.permitted, capabilities.inheritable, capabilities.ambient]) expect(set).toEqual(["CAP_NET_ADMIN"]);
    expect(capabilities.bounding).toHaveLength(15);
  });

  test("has limits of 64 bits, and words that look like them stay words", () => {
    const made = configOf(container("confined: true", { rlimits: [{ type: "RLIMIT_CORE", soft: "0", hard: "unlimited" }] }), ["\\u00005", "5"], {
      cgroupsPath: undefined,
      devices: [],
      filter: undefined,
    });
    expect(jsonOf(made)).toContain('"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}]');
    expect(jsonOf(made)).toContain('"args":["\\\\u00005","5"]');
  });
});

test("privileged has all capabilities, every device, and no filter", () => {
  const text = workload("w", "{command: [x], confined: true, securityContext: {privileged: true}}");
  const found = manifestsOf({ "a.yaml": text.replace("{name: w}", '{name: w, annotations: {holdfast.dev/privileged: "true"}}') });
  const resource = found.resources.get("Workload/w");
  if (resource?.kind !== "Workload" || !resource.run.confinement) throw new Error("not confined");
  const { process, linux, mounts } = configOf({ ...container("confined: true"), confinement: resource.run.confinement }, ["x"], {
    cgroupsPath: "/h/w",
    devices: [],
    filter: undefined,
  });
  expect(process.capabilities.bounding).toHaveLength(40);
  expect(linux.resources.devices).toEqual([{ allow: true, access: "rwm" }]);
  expect(linux).not.toHaveProperty("seccomp");
  expect(linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] });
  expect(mounts.find(({ destination }) => destination === "/dev")).toMatchObject({ type: "bind", source: "/dev" });
});
