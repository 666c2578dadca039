import { describe, expect, test } from "@jest/globals";
import { CAPABILITIES, DOCKERS } from "../../src/api/capabilities.ts";
import { CHECKS } from "../../src/audit/checks.ts";
import { exposureOf } from "../../src/audit/exposure.ts";
import type { ProcessFacts } from "../../src/audit/facts.ts";

const ALL = (1n << BigInt(CAPABILITIES.length)) - 1n;
const NAMESPACES = (shared: boolean): ProcessFacts["sharesNamespace"] => ({
  user: shared,
  net: shared,
  pid: shared,
  ipc: shared,
  uts: shared,
  cgroup: shared,
  mnt: shared,
});

/** A root's plain process on a host. */
const OPEN: ProcessFacts = {
  pid: 9,
  comm: "x",
  uid: 0,
  effective: ALL,
  bounding: ALL,
  seccomp: 0,
  noNewPrivileges: false,
  traced: false,
  sharesNamespace: NAMESPACES(true),
  label: "unconfined",
  mounts: [
    { at: "/", writable: true, type: "ext4", shared: true },
    { at: "/proc", writable: true, type: "proc", shared: true },
    { at: "/dev", writable: true, type: "devtmpfs", shared: true },
  ],
  runtimeSocket: true,
  limits: { files: Number.POSITIVE_INFINITY, processes: Number.POSITIVE_INFINITY, core: Number.POSITIVE_INFINITY },
  oomScoreAdj: -1,
  exe: "/x (deleted)",
  commandLine: "x",
  secretVariables: ["DB_PASSWORD"],
  inRootCgroup: true,
  limited: { memory: false, swap: false, cpu: false, pids: false },
};

/** A container's with everything on. */
const SHUT: ProcessFacts = {
  ...OPEN,
  uid: 1000,
  effective: 0n,
  bounding: 0n,
  seccomp: 2,
  noNewPrivileges: true,
  sharesNamespace: NAMESPACES(false),
  label: "web (enforce)",
  mounts: [
    { at: "/", writable: false, type: "overlay", shared: false },
    { at: "/proc", writable: true, type: "proc", shared: false },
    { at: "/proc/sys", writable: false, type: "proc", shared: false },
    { at: "/dev", writable: true, type: "tmpfs", shared: false },
  ],
  runtimeSocket: false,
  limits: { files: 1024, processes: 100, core: 0 },
  oomScoreAdj: 0,
  exe: "/x",
  secretVariables: [],
  inRootCgroup: false,
  limited: { memory: true, swap: true, cpu: true, pids: true },
};

const UNKNOWN: ProcessFacts = {
  ...{ pid: 9, comm: "x", uid: undefined, effective: undefined, bounding: undefined, seccomp: undefined, noNewPrivileges: undefined, traced: undefined },
  ...{ sharesNamespace: {}, label: undefined, mounts: undefined, runtimeSocket: undefined, limits: undefined, oomScoreAdj: undefined, exe: undefined },
  ...{ commandLine: undefined, secretVariables: undefined, inRootCgroup: undefined, limited: {} },
};

test("there are 37 checks, each of a name of its own", () => {
  expect(CHECKS).toHaveLength(37);
  expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(37);
});

test("all that is wrong is wrong, all that is well is well, and what is unknown is never well", () => {
  const open = exposureOf(OPEN);
  // Neither an SSH server in a container nor traced.
  expect(open.failed.map(({ id }) => id)).toEqual(CHECKS.map(({ id }) => id).filter((id) => id !== "sshd" && id !== "traced"));
  expect(open).toMatchObject({ level: "UNSAFE", unknown: [] });
  expect(exposureOf(SHUT)).toEqual({ least: 0, most: 0, level: "PERFECT", failed: [], unknown: [] });
  expect(exposureOf(UNKNOWN)).toMatchObject({ least: 0, most: 10, level: "DANGEROUS", failed: [] });
  expect(exposureOf(UNKNOWN).unknown).toHaveLength(37);
});

describe("each fact counts by itself, upwards", () => {
  test.each(Object.keys(OPEN).filter((name) => !["pid", "comm", "commandLine", "traced"].includes(name)))("%s", (name) => {
    const worse = exposureOf({ ...SHUT, [name]: OPEN[name as keyof ProcessFacts] });
    const unknown = exposureOf({ ...SHUT, [name]: UNKNOWN[name as keyof ProcessFacts] });
    expect(unknown.most).toBeGreaterThanOrEqual(0.1);
    expect(unknown.least).toBe(0);
    // One capability more than none, or a uid alone, may be no failure yet; nothing gets better by it.
    expect(worse.most).toBeGreaterThanOrEqual(name === "uid" ? 0 : 0.1);
  });

  test("a container's capabilities are less than all", () => {
    const mask = DOCKERS.reduce((all, name) => all | (1n << BigInt(CAPABILITIES.indexOf(name))), 0n);
    const [none, some, all] = [0n, mask, ALL].map((effective) => exposureOf({ ...SHUT, effective, bounding: effective }).most) as [number, number, number];
    expect(none < some && some < all).toBe(true);
  });
});
