import { describe, expect, test } from "@jest/globals";
import type { WorkloadResource } from "../../src/api/resource.ts";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import type { DesiredReplica } from "../../src/plan/desired.ts";
import type { ReplicaRecord } from "../../src/plan/observed.ts";
import { rolloutOf } from "../../src/plan/rollout.ts";
import { manifestsOf, workload } from "../support/manifests.ts";

const NOW = Date.parse("2026-01-01T01:00:00Z");
const minutes = (count: number): number => NOW - count * 60_000;

/** What each replica runs: the revision, how many minutes ago it started, and whether that one is ready. */
type Runs = { revision?: string; ago?: number; ready?: boolean; stopping?: boolean; proven?: boolean; ended?: boolean };

const PROBE = "readinessProbe: {tcpSocket: {port: 1}}";

function ask(runs: readonly Runs[], strategy = "{}", restartAfter?: number, probe = PROBE) {
  const resource = manifestsOf({ "a.yaml": workload("w", `{command: [x], replicas: ${runs.length}, strategy: ${strategy}, ${probe}}`) }).resources.get(
    "Workload/w",
  ) as WorkloadResource;
  const replicas = runs.map(
    (_, ordinal): DesiredReplica => ({
      id: `w@${ordinal}`,
      path: `w@${ordinal}` as CgroupPath,
      resource,
      ordinal,
      argv: [],
      initCommands: [],
      env: [],
      wrap: [],
      container: undefined,
      revision: "new",
      obstacle: undefined,
    }),
  );
  const records = runs.map(({ revision = "old", ago = 10, ready = true, stopping = false, proven = false, ended = false }, ordinal): ReplicaRecord => {
    const attempt = `w@${ordinal}@1`;
    const startedAt = new Date(minutes(ago)).toISOString();
    return {
      starts: 1,
      restarts: 0,
      streak: 0,
      run: { since: minutes(ago), retries: 0, proven },
      current: { attempt, revision, path: `w@${ordinal}`, startedAt, stopSignal: "SIGTERM", gracePeriodSeconds: 30, watched: true },
      health: { attempt, hooked: true, started: ready, ready, ...(ready ? { since: minutes(ago) } : {}) },
      ...(ended ? { last: { attempt, revision, exitCode: 1, signal: null, reason: "Error", startedAt, finishedAt: startedAt } } : {}),
      ...(stopping ? { stopping: { attempt, since: NOW, reason: "new revision" } } : {}),
    };
  });
  const rollout = rolloutOf(replicas, resource.run, (id) => records[Number(id.slice(2))], restartAfter, NOW);
  return { ...rollout, replace: [...rollout.replace].sort() };
}

describe("a new revision", () => {
  test("begins with the highest ordinal, one at a time", () => expect(ask([{}, {}, {}])).toMatchObject({ replace: ["w@2"], updated: 0, available: 3 }));
  test("waits for the replica that is on its way", () => {
    expect(ask([{}, {}, { stopping: true }]).replace).toEqual(["w@2"]);
    expect(ask([{}, {}, { revision: "new", ago: 0, ready: false }]).replace).toEqual([]);
    expect(ask([{}, {}, { revision: "new", ago: 0 }]).replace).toEqual(["w@1"]);
  });
  test("takes as many as may be unavailable", () => {
    expect(ask([{}, {}, {}, {}], "{maxUnavailable: 2}").replace).toEqual(["w@2", "w@3"]);
    expect(ask([{}, {}, {}, {}], "{maxUnavailable: 75%}").replace).toEqual(["w@1", "w@2", "w@3"]);
    expect(ask([{}, {}, {}], "{maxUnavailable: 10%}").replace).toEqual(["w@2"]);
  });
  test("takes what is of no use anyway, and nothing besides", () => expect(ask([{ ready: false }, {}, {}]).replace).toEqual(["w@0"]));
  test("counts a replica only after minReadySeconds, and says when to look", () => {
    const waiting = ask([{}, {}, { revision: "new", ago: 1 }], "{minReadySeconds: 90}");
    expect(waiting).toMatchObject({ replace: [], available: 2, wakeAt: minutes(1) + 90_000 });
    expect(ask([{}, {}, { revision: "new", ago: 2 }], "{minReadySeconds: 90}").replace).toEqual(["w@1"]);
  });
  test("that does not become available fails after its deadline, and the others stay", () => {
    const broken = { revision: "new", ready: false };
    expect(ask([{}, {}, { ...broken, ago: 9 }])).toMatchObject({ failed: false, wakeAt: minutes(9) + 600_000 });
    expect(ask([{}, {}, { ...broken, ago: 10 }])).toMatchObject({ failed: true, replace: [], outdated: ["w@0", "w@1"] });
  });
});

test("a replica that stops being ready is not given to a revision that has failed", () =>
  expect(ask([{ ready: false }, {}, { revision: "new", ready: false, ago: 20 }])).toMatchObject({ replace: [], failed: true }));

test("a restart that was asked for rolls over what had started before", () => {
  const runs = [{ revision: "new" }, { revision: "new", ago: 1 }, { revision: "new" }];
  expect(ask(runs, "{}", minutes(5)).outdated).toEqual(["w@0", "w@2"]);
  expect(ask(runs, "{}", minutes(5)).replace).toEqual(["w@2"]);
});

describe("one replica, or all at once", () => {
  const broken = { revision: "new", ready: false } as const;
  test("that never become available have failed when the deadline has passed", () => {
    expect(ask([{ ...broken, ago: 9 }])).toMatchObject({ failed: false, unproven: ["w@0"], wakeAt: minutes(9) + 600_000 });
    expect(ask([{ ...broken, ago: 10 }])).toMatchObject({ failed: true, unproven: ["w@0"], wakeAt: undefined });
  });
  test("that were available once are no rollout any more", () =>
    expect(ask([{ ...broken, ago: 20, proven: true }])).toMatchObject({ failed: false, unproven: [], wakeAt: undefined }));
  test("that are available by running have nothing to prove", () =>
    expect(ask([{ ...broken, ago: 20 }], "{}", undefined, "nice: 1")).toMatchObject({ failed: false }));
  test("that ended are on their way while they are that revision, and are no job", () => {
    expect(ask([{ ...broken, ago: 20, ended: true }])).toMatchObject({ failed: true, unproven: ["w@0"] });
    expect(ask([{ ...broken, revision: "old", ago: 20, ended: true }])).toMatchObject({ failed: false, unproven: [] });
    expect(ask([{ ...broken, ago: 20 }], "{}", undefined, `${PROBE}, restartPolicy: OnFailure`)).toMatchObject({ failed: false, unproven: [] });
  });
  test("are available after minReadySeconds", () => {
    expect(ask([{ revision: "new", ago: 1 }], "{minReadySeconds: 90}")).toMatchObject({ failed: false, unproven: ["w@0"], wakeAt: NOW + 30_000 });
    expect(ask([{ revision: "new", ago: 2 }], "{minReadySeconds: 90}")).toMatchObject({ failed: false, unproven: [] });
  });
});
