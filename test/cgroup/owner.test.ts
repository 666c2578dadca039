import { expect, test } from "@jest/globals";
import { ownerOf } from "../../src/cgroup/owner.ts";

test.each([
  ["/", undefined, undefined],
  ["/system.slice/cron.service", "systemd", "unknown"],
  ["/user.slice/user-1000.slice/session-3.scope", "systemd", "unknown"],
  ["/system.slice/docker-0123456789abcdef.scope", "runtime", "runtime"],
  ["/docker/0123456789abcdef/inner", "runtime", "runtime"],
  ["/machine.slice/libpod-0123.scope", "runtime", "runtime"],
  ["/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope", "kubelet", "kubelet"],
  ["/kubepods/burstable/pod1/abc", "kubelet", "kubelet"],
  ["/lxc.payload.web/init.scope", "runtime", "runtime"],
  ["/by-hand/x", "unknown", "unknown"],
] as const)("%s belongs to %s, and without systemd to %s", (path, withSystemd, without) => {
  expect([ownerOf(path, true)?.kind, ownerOf(path, false)?.kind]).toEqual([withSystemd, without]);
});

test("a unit is called by its name", () =>
  expect(ownerOf("/system.slice/x.service/sub/leaf", true)).toMatchObject({ unit: "x.service", words: "the systemd unit x.service" }));
