/** What contradicts itself, or would harm the host, is refused with a place and a hint. */
import { describe, expect, test } from "@jest/globals";
import { manifestsOf, problemsOf, workload } from "../support/manifests.ts";

const problems = (spec: string): string[] => problemsOf(workload("w", `{command: [x], ${spec}}`)).map((line) => line.replace(/^a.yaml:\d+:\d+: /, ""));
const confinementOf = (spec: string) => {
  const resource = manifestsOf({ "a.yaml": workload("w", `{command: [x], ${spec}}`) }).resources.get("Workload/w");
  return resource?.kind === "Workload" ? resource.run.confinement : undefined;
};

describe("refused", () => {
  test.each([
    ["securityContext: {readOnlyRootFilesystem: true}", /readOnlyRootFilesystem: expected a private mount namespace beside it/],
    ["securityContext: {maskedPaths: [/x]}", /maskedPaths: expected a private mount namespace/],
    ["volumes: [{hostPath: /a, mountPath: /b}]", /volumes: expected a private mount namespace/],
    ["devices: [{path: /dev/fuse}]", /devices: expected a private mount namespace/],
    ["namespaces: {pid: Private}", /pid: expected a private mount namespace/],
    ["namespaces: {user: {uidMappings: [{containerID: 0, hostID: 1, size: 1}]}}", /user: expected a private mount namespace/],
    ["hostname: x", /hostname: expected a private uts namespace/],
    ["confined: true, namespaces: {uts: Host}, hostname: x", /hostname: expected a private uts namespace/],
    ["confined: true, securityContext: {privileged: true}", /privileged: expected false.*holdfast.dev\/privileged: "true"/],
    ["confined: true, securityContext: {seccompProfile: {type: Localhost}}", /MissingField.*expected localhostProfile beside type: Localhost/],
    ["confined: true, securityContext: {seccompProfile: {type: Unconfined, localhostProfile: /x}}", /localhostProfile: expected type: Localhost beside it/],
    ["confined: true, securityContext: {seccompProfile: {type: Unconfined, log: true}}", /log: expected a profile that blocks something/],
    ["confined: true, securityContext: {capabilities: {add: [CAP_NET_ADMIN]}}", /CAP_NET_ADMIN.*NET_ADMIN/],
    ["confined: true, readinessProbe: {httpGet: {port: 1}}", /httpGet: expected exec: the workload has a network of its own/],
    ["confined: true, lifecycle: {preStop: {tcpSocket: {port: 1}}}", /tcpSocket: expected exec/],
    ["confined: true, volumes: [{mountPath: /a}]", /volumes\/0: expected one of hostPath and tmpfs, found none/],
    ["confined: true, volumes: [{hostPath: /a, tmpfs: {}, mountPath: /a}]", /expected one of hostPath and tmpfs, found both/],
    ["confined: true, volumes: [{hostPath: /a/../b, mountPath: /b}]", /hostPath: expected a path without \.\./],
    ["confined: true, volumes: [{hostPath: /a, mountPath: /proc/x}]", /outside of \/proc, \/sys and \/dev/],
    ["confined: true, volumes: [{hostPath: /a, mountPath: /}]", /expected a path other than \//],
    ["confined: true, volumes: [{hostPath: /a, mountPath: /b}, {hostPath: /c, mountPath: /b}]", /expected each mountPath once/],
    ["confined: true, volumes: [{hostPath: /a, mountPath: /b, idmap: true}]", /there is nothing to map/],
    ["confined: true, volumes: [{tmpfs: {size: 5X}, mountPath: /b}]", /size: expected .*, found 5X/],
    [
      "confined: true, namespaces: {user: {uidMappings: [{containerID: 0, hostID: 1000, size: 10}, {containerID: 5, hostID: 2000, size: 10}]}}",
      /containerID: expected ranges that do not overlap/,
    ],
    [
      "confined: true, namespaces: {user: {uidMappings: [{containerID: 10, hostID: 1000, size: 10}], gidMappings: [{containerID: 0, hostID: 1, size: 1}]}}",
      /containerID: 0: the runtime sets/,
    ],
    [
      "confined: true, namespaces: {user: {uidMappings: [{containerID: 0, hostID: 4294967294, size: 9}], gidMappings: [{containerID: 0, hostID: 1, size: 1}]}}",
      /expected ids up to 4294967294/,
    ],
    ["confined: true, user: 1234, namespaces: {user: {uidMappings: [{containerID: 0, hostID: 1000, size: 1000}]}}", /user: expected a user of the ranges/],
    ["confined: true, volumes: [{hostPath: /a, mountPath: /b/}]", /expected a path without a slash at its end/],
    ["confined: true, devices: [{path: /etc/passwd}]", /expected a device below \/dev, found \/etc\/passwd/],
    ["confined: true, devices: [{path: /dev/../etc/x}]", /expected a device below \/dev/],
    ["confined: true, logs: journald", /logs: expected files: the output of a container cannot go to the journal/],
  ])("%s", (spec, expected) => {
    const found = problems(spec);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });
});

test("without any of it a workload is a plain process", () => {
  expect(confinementOf("user: nobody")).toBeUndefined();
});

test("confined brings Docker's defaults, each of which can be taken back", () => {
  const all = confinementOf("confined: true");
  expect(all).toMatchObject({ seccomp: { type: "RuntimeDefault" }, noNewPrivileges: false, namespaces: ["pid", "mount", "network", "ipc", "uts", "cgroup"] });
  expect(all?.capabilities).toHaveLength(14);
  expect(all?.maskedPaths).toContain("/proc/kcore");
  const less = confinementOf(
    "confined: true, namespaces: {network: Host}, securityContext: {procMount: Unmasked, seccompProfile: {type: Unconfined}, capabilities: {add: [ALL]}}",
  );
  expect(less).toMatchObject({ seccomp: { type: "Unconfined" }, maskedPaths: [], readonlyPaths: [], added: [] });
  expect(less?.namespaces).not.toContain("network");
  expect(less?.capabilities).toHaveLength(41);
});

test("outer volumes come before inner ones", () => {
  const volumes = confinementOf("confined: true, volumes: [{tmpfs: {}, mountPath: /a/b}, {hostPath: /x, mountPath: /a}]")?.volumes;
  expect(volumes?.map(({ mountPath }) => mountPath)).toEqual(["/a", "/a/b"]);
});
