/** What a monitor does for a controller, and what not, on either cgroup version. */
import { describe, expect, test } from "@jest/globals";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import { openSimulatedHost } from "../../src/host/host.ts";
import {
  commandsOf,
  isAttempt,
  isReplicaPath,
  type Spot,
  type Standing,
  spotOf,
  whyNotMade,
  whyNotPlaced,
  whyNotReleased,
  whyNotRemoved,
  whyNotStarted,
  whyNotWritten,
} from "../../src/monitor/permit.ts";
import { desire, mentions } from "../../src/plan/desire.ts";
import type { ObservedAttempt } from "../../src/plan/observed.ts";
import { group, manifestsOf, workload } from "../support/manifests.ts";

const TEXT = `${group("batch", "{limits: {pids.max: 40, cpu.max: 20%, cpuset.cpus: 0-1, io.max: [{device: '8:0', rbps: 1M}]}}")}---\n${workload("web", "{limitGroupRef: {name: batch}, command: [sleep, '9'], readinessProbe: {exec: {command: [/bin/true]}}, lifecycle: {preStop: {httpGet: {port: 1}}}}")}`;

const hostOf = (version: 1 | 2, text = TEXT) => {
  const host = openSimulatedHost("holdfast", version);
  const manifests = manifestsOf({ "a.yaml": text });
  // A disk that any host may lack.
  const machine = { ...host.machine(mentions(manifests.resources.values())), devices: new Map([["8:0", { number: "8:0" }]]) };
  const standing: Standing = { desired: desire(manifests, machine), machine };
  host.simulated.remove();
  const spot = (controller: string, path: string): Spot => {
    const { all, core } = machine.controllers;
    return { hierarchy: all.find(({ offered }) => offered.has(controller)) ?? core, path: path as CgroupPath };
  };
  return { host, machine, standing, spot };
};

describe.each([1, 2] as const)("on cgroup v%d", (version) => {
  const { host, machine, standing, spot } = hostOf(version);
  const { tree } = host;
  const root = tree.directory(machine.controllers.core, "");

  test("a directory is a cgroup of the tree by ordinary names alone", () => {
    expect(spotOf(root, tree, machine)?.path).toBe("");
    expect(spotOf(`${root}/batch/web@0`, tree, machine)?.path).toBe("batch/web@0");
    for (const odd of ["", "/..", "/../x", "/batch/..", "/batch/../..", "//batch", "/batch/", "/.holders", "/.holders/x", "/batch/.x", "/a\nb", "x"])
      expect([odd, odd === "" ? undefined : spotOf(`${root}${odd}`, tree, machine)]).toEqual([odd, undefined]);
    expect(spotOf("/etc", tree, machine)).toBeUndefined();
  });

  test("cgroups are made where they are declared, and removed where they are not", () => {
    expect(whyNotMade(spot("pids", "batch"), standing)).toBeUndefined();
    expect(whyNotMade(spot("pids", "batch/web@0"), standing)).toBeUndefined();
    expect(whyNotMade(spot("pids", "batch/web@1"), standing)).toMatch(/no manifest/);
    expect(whyNotRemoved(spot("pids", "old"), standing)).toBeUndefined();
    expect(whyNotRemoved(spot("pids", "batch"), standing)).toMatch(/declares/);
    expect(whyNotRemoved(spot("pids", ""), standing)).toMatch(/root/);
    expect(whyNotRemoved(spot("pids", "batch/web@0/own"), standing)).toMatch(/workload's own/);
    expect(whyNotRemoved(spot("pids", "old"), { ...standing, desired: { ...standing.desired, held: true } })).toMatch(/broken/);
  });

  const v1 = version === 1;
  const quota = v1 ? "cpu.cfs_quota_us" : "cpu.max";
  const now: Record<string, string> = { "cpu.cfs_period_us": "100000\n", "cpuset.cpus": "2\n", "pids.max": "5\n" };
  const why = (controller: string, path: string, file: string, text: string, reads = now): string | undefined =>
    whyNotWritten(spot(controller, path), file, text, standing, (name) => reads[name]);

  test.each([
    ["pids", "batch", "pids.max", "40"],
    ["pids", "batch/web@0", "pids.max", "max"],
    ["cpu", "batch", quota, v1 ? "20000" : "20000 100000"],
    ["cpuset", "batch", "cpuset.cpus", "0-1"],
    // On its way from one list to the other.
    ["cpuset", "batch", "cpuset.cpus", "0,1,2"],
    v1 ? ["blkio", "batch", "blkio.throttle.read_bps_device", "8:0 1000000"] : ["io", "batch", "io.max", "8:0 rbps=1000000 wbps=max riops=max wiops=max"],
    // A device more than there shall be.
    v1 ? ["blkio", "batch", "blkio.throttle.read_bps_device", "8:16 0"] : ["io", "batch", "io.max", "8:16 rbps=max wbps=max riops=max wiops=max"],
    v1 ? ["freezer", "old", "freezer.state", "THAWED"] : ["", "old", "cgroup.freeze", "0"],
    v1 ? ["freezer", "batch", "freezer.state", "THAWED"] : ["", "batch", "cgroup.freeze", "0"],
  ])("%s: what %s shall be: %s %j", (controller, path, file, text) => expect(why(controller, path, file, text)).toBeUndefined());

  test.each([
    ["pids", "batch", "pids.max", "41"],
    ["pids", "batch", "pids.max", "max"],
    ["pids", "batch", "pids.max", "40\n"],
    ["pids", "", "pids.max", "max"],
    ["pids", "old", "pids.max", "max"],
    ["cpu", "batch", quota, v1 ? "-1" : "max"],
    ["cpu", "batch", quota, v1 ? "-1" : "max 100000"],
    ["cpuset", "batch", "cpuset.cpus", "0-7"],
    ["cpuset", "batch", "cpuset.cpus", "\n"],
    v1 ? ["blkio", "batch", "blkio.throttle.read_bps_device", "8:0 0"] : ["io", "batch", "io.max", "8:0 rbps=max wbps=max riops=max wiops=max"],
    v1 ? ["freezer", "batch/web@0", "freezer.state", "FROZEN"] : ["", "batch/web@0", "cgroup.freeze", "1"],
    v1 ? ["freezer", "old", "freezer.state", "FROZEN"] : ["", "old", "cgroup.freeze", "1"],
    ["devices", "batch/web@0", "devices.allow", "a"],
    ["pids", "batch", "release_agent", "/tmp/x"],
    ["pids", "batch", "notify_on_release", "1"],
    ["", "batch", "cgroup.type", "threaded"],
    ["", "batch", "cgroup.subtree_control", "-cpu"],
    ["", "batch", "cgroup.subtree_control", "+cpu +rdma"],
    ["", "batch/web@0", "cgroup.subtree_control", "+cpu"],
    ["", "old", "cgroup.subtree_control", "+cpu"],
    ["pids", "batch", "constructor", "1"],
    ["pids", "batch", "../pids.max", "1"],
  ])("%s: nothing else in %s: %s %j", (controller, path, file, text) => expect(why(controller, path, file, text)).toBe("no manifest makes that necessary"));

  if (v1)
    test("a quota is out of the way while its period is another one", () =>
      expect(why("cpu", "batch", quota, "-1", { ...now, "cpu.cfs_period_us": "50000\n" })).toBeUndefined());
  else test("controllers are handed down that children need", () => expect(why("", "batch", "cgroup.subtree_control", "+cpu +pids")).toBeUndefined());
});

const attempt = (main: Partial<ObservedAttempt["main"]> | undefined): ObservedAttempt =>
  ({ id: "web@0@x1", replica: "web@0", holder: { pid: 5, stopped: true }, meta: { path: "batch/web@0" }, main }) as unknown as ObservedAttempt;

test("processes are placed where they were started", () => {
  const { spot } = hostOf(2);
  const there = spot("", "batch/web@0");
  expect(whyNotPlaced(there, "7", [attempt({ pid: 7, exited: false })], [])).toBeUndefined();
  expect(whyNotPlaced(there, "8", [attempt({ pid: 7, exited: false })], [8])).toBeUndefined();
  expect(whyNotPlaced(there, "1", [attempt({ pid: 7, exited: false })], [])).toMatch(/no process that was started/);
  expect(whyNotPlaced(there, "7", [attempt({ pid: 7, exited: true })], [])).toMatch(/no process/);
  expect(whyNotPlaced(spot("", "batch"), "7", [attempt({ pid: 7, exited: false })], [])).toMatch(/no process/);
  expect(whyNotPlaced(there, "0", [], [0].filter(Boolean))).toMatch(/no process/);
});

test("a replica is started as it is declared, and released when it is over", () => {
  const { standing } = hostOf(2);
  const web = standing.desired.replicas.get("web@0");
  const revision = web?.revision ?? "";
  expect(whyNotStarted("web@0@x1", web, revision, [])).toBeUndefined();
  expect(whyNotStarted("web@0@x1", web, "other", [])).toMatch(/another revision/);
  expect(whyNotStarted("web@0@x1", undefined, revision, [])).toMatch(/no manifest/);
  for (const name of ["web@1@x1", "web@0@../x", "web@0@", "web@0@x1/..", "web@0"]) expect(whyNotStarted(name, web, revision, [])).toMatch(/no name/);
  expect(whyNotStarted("web@0@x1", web && { ...web, obstacle: "not now" }, revision, [])).toBe("not now");
  expect(whyNotReleased(attempt({ pid: 7, exited: false }))).toMatch(/runs/);
  expect(whyNotReleased(attempt({ pid: 7, exited: true }))).toBeUndefined();
  expect(whyNotReleased(undefined)).toMatch(/no such/);
  // While one runs, or is about to; under a name that is taken; with too many that nobody lets go of.
  const started = (...attempts: ObservedAttempt[]): string | undefined => whyNotStarted("web@0@x2", web, revision, attempts);
  expect(started(attempt({ pid: 7, exited: true }))).toBeUndefined();
  expect(started(attempt({ pid: 7, exited: false }))).toMatch(/runs already/);
  expect(started(attempt(undefined))).toMatch(/about to/);
  expect(whyNotStarted("web@0@x1", web, revision, [attempt({ pid: 7, exited: true })])).toMatch(/runs already/);
  expect(started(...Array<ObservedAttempt>(3).fill(attempt({ pid: 7, exited: true })))).toMatch(/too many/);
  expect([...(web ? commandsOf(web.resource.run) : [])]).toEqual([['{"exec":["/bin/true"]}', { timeout: 1000, atOnce: 1 }]]);
});

test("names of attempts and of replicas' cgroups", () => {
  expect(["web@0@x1", "a.b-c@12@0"].every(isAttempt)).toBe(true);
  expect(["", "web@0", "../x@0@1", "web@0@X", "web@0@a/b", ".holders@0@1"].some(isAttempt)).toBe(false);
  expect(["web@0", "a/b/web@10"].every(isReplicaPath)).toBe(true);
  expect(["", "web", "a/web", "web@0/x", "web@0/..", "../web@0", "a//web@0", ".x@0", "web@x"].some(isReplicaPath)).toBe(false);
});
