import { describe, expect, test } from "@jest/globals";
import type { WorkloadResource } from "../../src/api/resource.ts";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import { describe as describeAction } from "../../src/plan/describe.ts";
import type { DesiredReplica } from "../../src/plan/desired.ts";
import type { AttemptMeta, ObservedAttempt, ObservedReplica, ReplicaRecord } from "../../src/plan/observed.ts";
import type { Question } from "../../src/plan/question.ts";
import type { StopReason } from "../../src/plan/reasons.ts";
import { decide } from "../../src/plan/replica.ts";
import { manifestsOf, workload } from "../support/manifests.ts";
import { PLAIN_QUESTION } from "../support/question.ts";

const NOW = Date.parse("2026-01-01T00:10:00Z");
const PATH = "w@0" as CgroupPath;

function desired(spec = "{command: [x]}", revision = "r1"): DesiredReplica {
  const resource = manifestsOf({ "a.yaml": workload("w", spec) }).resources.get("Workload/w") as WorkloadResource;
  return { id: "w@0", path: PATH, resource, ordinal: 0, argv: ["x"], initCommands: [], env: [], wrap: [], container: undefined, revision, obstacle: undefined };
}

const meta: AttemptMeta = {
  workload: "w",
  ordinal: 0,
  path: "w@0",
  revision: "r1",
  startedAt: "2026-01-01T00:09:00Z",
  oomKills: 0,
  stopSignal: "SIGTERM",
  gracePeriodSeconds: 30,
};
const attempt = (main: Partial<NonNullable<ObservedAttempt["main"]>> | null = {}, more: Partial<ObservedAttempt> = {}): ObservedAttempt => ({
  id: "w@0@1",
  replica: "w@0",
  holder: { pid: 10, stopped: true },
  meta,
  main: main === null ? undefined : { pid: 11, exited: false, waitStatus: 0, neverExeced: false, stage: undefined, strayed: [], ...main },
  ...more,
});
/** A record knows what runs, unless it is said to know something else. */
const seen = (attempts: ObservedAttempt[], members: number[] = [], known?: ReplicaRecord): ObservedReplica => {
  const [running] = attempts.filter(({ main }) => main && !main.exited).map(({ id }) => id);
  const { path, revision, startedAt, stopSignal, gracePeriodSeconds } = meta;
  const current = running === undefined ? {} : { current: { attempt: "w@0@1", path, revision, startedAt, stopSignal, gracePeriodSeconds } };
  return { attempts, members: new Map([[PATH, members]]), record: running === undefined ? known : { ...record(), ...current, ...known } };
};
const ask = (observed: ObservedReplica | undefined, more: Partial<Question> = {}) =>
  decide({
    ...PLAIN_QUESTION,
    desired: desired(),
    observed,
    now: NOW,
    ...more,
  });
const types = (decision: ReturnType<typeof decide>): string[] => decision.actions.map(({ type }) => type);
const record = (more: Partial<ReplicaRecord> = {}): ReplicaRecord => ({ starts: 1, restarts: 0, streak: 0, ...more });
const last = (more: object = {}): NonNullable<ReplicaRecord["last"]> => ({
  exitCode: 1,
  signal: null,
  reason: "Error",
  startedAt: meta.startedAt,
  finishedAt: meta.startedAt,
  attempt: "w@0@0",
  revision: "r1",
  ...more,
});

describe("what runs", () => {
  test("as declared is left alone", () => expect(ask(seen([attempt()], [11]))).toMatchObject({ actions: [], state: { running: { pid: 11 } } }));
  test("of another revision is asked to stop, then killed when its grace period is over", () => {
    const other = { desired: desired("{command: [x], terminationGracePeriodSeconds: 5, stopSignal: SIGINT}", "r2") };
    const { path, revision, startedAt } = meta;
    const current = { attempt: "w@0@1", path, revision, startedAt, gracePeriodSeconds: 5, stopSignal: "SIGINT" } as const;
    const asked = ask(seen([attempt()], [11], record({ current })), other);
    expect(asked).toMatchObject({
      actions: [{ type: "signal", pid: 11, signal: "SIGINT", reason: "new revision", record: { stopping: { attempt: "w@0@1", since: NOW } } }],
      wakeAt: NOW + 5000,
    });
    const stopping = record({ current, stopping: { attempt: "w@0@1", since: NOW } });
    expect(ask(seen([attempt()], [11], stopping), { ...other, now: NOW + 4999 })).toMatchObject({ actions: [], wakeAt: NOW + 5000 });
    expect(ask(seen([attempt()], [11], stopping), { ...other, now: NOW + 5000 })).toMatchObject({ actions: [{ type: "kill", reason: "grace period over" }] });
  });
  test("and is not declared stops by what it was started with", () =>
    expect(ask(seen([attempt()], [11]), { desired: undefined })).toMatchObject({
      actions: [{ type: "signal", signal: "SIGTERM", reason: "not declared any more" }],
      wakeAt: NOW + 30_000,
    }));
  test("is left alone while its env file cannot be read", () =>
    expect(types(ask(seen([attempt()], [11]), { desired: desired("{command: [x]}", "r2"), obstacle: "gone" }))).toEqual([]));
  test("outside its cgroup is put back, in the hierarchies that its cgroup has", () =>
    expect(ask(seen([attempt({ strayed: ["cpu", "blkio"] })], []))).toMatchObject({ actions: [{ type: "place", pid: 11, hierarchy: "cpu" }] }));
  test("under a holder that somebody continued gets it stopped again", () =>
    expect(types(ask(seen([attempt({}, { holder: { pid: 10, stopped: false } })], [11])))).toEqual(["hold"]));
});

test("an edit that is taken back spares what was asked to stop; asked again, it has its whole grace period", () => {
  const stopping = { attempt: "w@0@1", since: NOW - 60_000 };
  const spared = ask(seen([attempt()], [11], record({ stopping })));
  expect(spared.actions).toMatchObject([{ type: "spare", record: { stopping: { ...stopping, spared: true } } }]);
  const after = record({ stopping: { ...stopping, spared: true } });
  expect(ask(seen([attempt()], [11], after)).actions).toEqual([]);
  expect(ask(seen([attempt()], [11], after), { desired: desired("{command: [x]}", "r2") })).toMatchObject({
    actions: [{ type: "signal" }],
    wakeAt: NOW + 30_000,
  });
  // It may end all the same: it was asked to, so that it is started again whatever the policy says.
  const never = desired("{command: [x], restartPolicy: Never}");
  const ended = ask(seen([attempt({ exited: true })], [], after), { desired: never });
  expect(ended.actions).toMatchObject([{ type: "record", asked: true }, { type: "release" }, { type: "start" }]);
});

test("two copies of a workload: the younger one goes, the elder one is not touched", () => {
  const younger = attempt({ pid: 21 }, { id: "w@0@2", holder: { pid: 20, stopped: true }, meta: { ...meta, startedAt: "2026-01-01T00:09:30Z" } });
  for (const attempts of [
    [attempt(), younger],
    [younger, attempt()],
  ]) {
    expect(ask(seen(attempts, [11, 21]))).toMatchObject({ actions: [{ type: "signal", pid: 21, reason: "started twice" }], state: { running: { pid: 11 } } });
    const stopping = record({ stopping: { attempt: "w@0@2", since: NOW - 30_000 } });
    expect(ask(seen(attempts, [11, 21], stopping)).actions).toMatchObject([{ type: "signal", pid: 21, signal: "SIGKILL" }]);
  }
});

test("what runs without a record is taken over: it is known again when its holder goes", () => {
  const observed = { attempts: [attempt()], members: new Map([[PATH, [11]]]), record: undefined };
  expect(ask(observed).actions).toMatchObject([{ type: "adopt", record: { starts: 1, current: { attempt: "w@0@1", revision: "r1", stopSignal: "SIGTERM" } } }]);
});

describe("a start that was written down", () => {
  const { path, revision, startedAt } = meta;
  const current = { attempt: "w@0@1", path, revision, startedAt, stopSignal: "SIGTERM", gracePeriodSeconds: 30 } as const;
  const before = record({ streak: 2, last: last(), notBefore: NOW - 1 });
  const begun = record({ starts: 2, streak: 2, last: last(), run: { since: NOW, retries: 1 }, current, before });
  test("and left no trace never was", () => {
    const { actions } = ask({ attempts: [], members: new Map(), record: begun });
    expect(actions).toMatchObject([{ type: "start", reason: "restart", before, record: { starts: 2, restarts: 1 } }]);
  });
  test("and did happen is confirmed, with all that was counted", () => {
    const { before: _, ...confirmed } = begun;
    expect(ask(seen([attempt()], [11], begun)).actions).toMatchObject([{ type: "adopt", record: confirmed }]);
    expect(ask(seen([attempt()], [11], begun)).actions).not.toMatchObject([{ record: { before } }]);
  });
  test("and is over is counted as the run that it was", () =>
    expect(ask({ attempts: [attempt({ exited: true, waitStatus: 1 << 8 })], members: new Map(), record: begun }).actions).toMatchObject([
      { type: "record", record: { starts: 2, streak: 3, run: { retries: 1 }, last: { attempt: "w@0@1", exitCode: 1 } } },
      { type: "release" },
    ]));
});

test("how to stop it is known as it was declared last, also when it is declared no more", () => {
  const { actions } = ask(seen([attempt()], [11]), { desired: desired("{command: [x], terminationGracePeriodSeconds: 2, stopSignal: SIGUSR1}") });
  expect(actions).toMatchObject([{ type: "adopt", record: { current: { gracePeriodSeconds: 2, stopSignal: "SIGUSR1" } } }]);
  const known = (actions[0] as { record: ReplicaRecord }).record;
  expect(ask(seen([attempt()], [11], known), { desired: undefined })).toMatchObject({ actions: [{ type: "signal", signal: "SIGUSR1" }], wakeAt: NOW + 2000 });
});

test("what is left at another place than that of the running copy is killed", () => {
  const members = new Map([
    [PATH, [11]],
    ["old/w@0" as CgroupPath, [7]],
  ]);
  expect(ask({ ...seen([attempt()]), members }).actions).toMatchObject([{ type: "kill", path: "old/w@0" }]);
});

test("a start that was refused is tried again with back-off, and at once when the manifest is another", () => {
  const [first] = ask(undefined).actions;
  expect(first).toMatchObject({ before: { starts: 0 }, refused: { streak: 1, notBefore: NOW + 10_000 } });
  const failed = record({ streak: 1, notBefore: NOW + 10_000, failed: { revision: "r1", message: "no log directory" } });
  expect(ask(seen([], [], failed))).toMatchObject({
    actions: [],
    wakeAt: NOW + 10_000,
    state: { waiting: { reason: "StartFailed", message: "no log directory; tried again in 10s" } },
  });
  const [again] = ask(seen([], [], failed), { now: NOW + 10_000 }).actions;
  expect(again).toMatchObject({ type: "start", refused: { streak: 2, notBefore: NOW + 30_000 } });
  expect(again).not.toMatchObject({ record: { failed: expect.anything() } });
  expect(types(ask(seen([], [], failed), { desired: desired("{command: [y]}", "r2") }))).toEqual(["start"]);
});

describe("what ended", () => {
  test.each([
    [0, {}, "Completed", 0, null],
    [3 << 8, {}, "Error", 3, null],
    [137 << 8, {}, "Error", 137, null],
    [9, {}, "Error", null, "SIGKILL"],
    [9, { oomKills: () => 1 }, "OOMKilled", null, "SIGKILL"],
    [9, { oomKills: () => 1, asked: true }, "Error", null, "SIGKILL"],
    [11 | 0x80, {}, "Error", null, "SIGSEGV"],
  ])("with wait status %p", (waitStatus, { asked, ...more }: { asked?: boolean } & Partial<Question>, reason, exitCode, signal) => {
    // What was asked to end, and killed when its time was over, was not killed for want of memory.
    const before = asked ? record({ stopping: { attempt: "w@0@1", since: NOW } }) : undefined;
    const [first] = ask(seen([attempt({ exited: true, waitStatus })], [], before), more).actions;
    expect(first).toMatchObject({ type: "record", terminated: { reason, exitCode, signal } });
  });
  test("after an OOM kill that it had outlived was not killed for memory", () => {
    const [outlived] = ask(seen([attempt()], [11]), { oomKills: () => 2 }).actions as readonly { record?: ReplicaRecord }[];
    expect(outlived).toMatchObject({ type: "adopt", record: { current: { oomKills: 2 } } });
    const killed = { ...seen([attempt({ exited: true, waitStatus: 9 })]), record: outlived?.record };
    expect(ask(killed, { oomKills: () => 2 }).actions[0]).toMatchObject({ terminated: { reason: "Error" } });
    expect(ask(killed, { oomKills: () => 3 }).actions[0]).toMatchObject({ terminated: { reason: "OOMKilled" } });
  });
  test("in the moment of an OOM kill is not taken to outlive it", () =>
    expect(ask(seen([attempt()], [11]), { oomKills: () => 2, isDoomed: () => true }).actions).toEqual([]));
  test("before exec says which step failed", () => {
    for (const [code, words] of [
      [127, /^\/x: ENOENT/],
      [124, /workingDir/],
      [123, /oomScoreAdj/],
      [125, /placed/],
    ] as const) {
      const notExecuted = code === 127 ? { notExecuted: "/x: ENOENT: it was not found" } : {};
      expect(ask(seen([attempt({ exited: true, waitStatus: code << 8, neverExeced: true, ...notExecuted })])).actions[0]).toMatchObject({
        terminated: { reason: "StartError", message: expect.stringMatching(words) },
      });
    }
    expect(ask(seen([attempt({ exited: true, waitStatus: 127 << 8 })])).actions[0]).toMatchObject({ terminated: { reason: "Error", exitCode: 127 } });
  });
  test("is recorded, then released, then started again at once", () =>
    expect(types(ask(seen([attempt({ exited: true, waitStatus: 256 })])))).toEqual(["record", "release", "start"]));
  test("and was recorded already is only released", () =>
    expect(types(ask(seen([attempt({ exited: true, waitStatus: 256 })], [], record({ last: last({ attempt: "w@0@1" }), notBefore: NOW + 9 }))))).toEqual([
      "release",
    ]));
  test("with children left behind has those killed before anything starts", () =>
    expect(types(ask(seen([attempt({ exited: true, waitStatus: 256 })], [12, 13])))).toEqual(["record", "release", "kill"]));
  test("because it was asked to owes no pause", () => {
    const stopping = record({ streak: 4, stopping: { attempt: "w@0@1", since: NOW - 1 } });
    expect(ask(seen([attempt({ exited: true, waitStatus: 15 })], [], stopping)).actions[0]).toMatchObject({
      type: "record",
      asked: true,
      record: { streak: 0 },
    });
  });
});

describe("what does not run", () => {
  test("starts for the first time", () => expect(ask(undefined)).toMatchObject({ actions: [{ type: "start", reason: "first start" }] }));
  test.each([
    [0, 0],
    [1, 10_000],
    [2, 20_000],
    [3, 40_000],
    [5, 160_000],
    [6, 300_000],
    [60, 300_000],
  ])("after %p ends in a row waits %p ms", (streak, pause) => {
    const before = record({ streak });
    const [ended] = ask(seen([attempt({ exited: true, waitStatus: 256 })], [], before)).actions;
    expect(ended).toMatchObject({ type: "record", record: { streak: streak + 1, notBefore: NOW + pause } });
  });
  test("counts anew after a long run", () => {
    const long = { ...meta, startedAt: "2025-12-31T23:59:59Z" };
    expect(ask(seen([attempt({ exited: true, waitStatus: 256 }, { meta: long })], [], record({ streak: 7 }))).actions[0]).toMatchObject({
      record: { streak: 1, notBefore: NOW },
    });
  });
  test("waits in CrashLoopBackOff until its time", () => {
    const waiting = record({ last: last(), notBefore: NOW + 7000 });
    expect(ask(seen([], [], waiting))).toMatchObject({
      actions: [],
      wakeAt: NOW + 7000,
      state: { waiting: { reason: "CrashLoopBackOff", message: "Error: restarts in 7s" } },
    });
    expect(ask(seen([], [], waiting), { now: NOW + 7000 })).toMatchObject({ actions: [{ type: "start", reason: "restart", record: { restarts: 1 } }] });
  });
  test.each([
    ["Never", "Error", false],
    ["Never", "Completed", false],
    ["OnFailure", "Completed", false],
    ["OnFailure", "Error", true],
    ["Always", "Completed", true],
  ])("with restartPolicy %s after %s starts: %p", (policy, reason, starts) => {
    const decision = ask(seen([], [], record({ last: last({ reason, exitCode: reason === "Error" ? 1 : 0 }) })), {
      desired: desired(`{command: [x], restartPolicy: ${policy}}`),
    });
    expect(types(decision)).toEqual(starts ? ["start"] : []);
    if (!starts) expect(decision.state).toMatchObject({ terminated: { reason } });
  });
  test("starts as a new revision whatever the policy and the back-off say", () =>
    expect(
      ask(seen([], [], record({ last: last({ revision: "old" }), notBefore: NOW + 9999 })), { desired: desired("{command: [x], restartPolicy: Never}") }),
    ).toMatchObject({ actions: [{ type: "start", reason: "new revision", record: { streak: 0 } }] }));
  test("waits while its group is frozen or its env file is missing", () => {
    expect(ask(undefined, { frozen: true })).toMatchObject({ actions: [], state: { waiting: { reason: "Frozen" } } });
    expect(ask(undefined, { obstacle: "envFrom: /x does not exist" })).toMatchObject({
      actions: [],
      state: { waiting: { reason: "StartBlocked", message: "envFrom: /x does not exist" } },
    });
  });
  test("and is not declared is forgotten", () => expect(types(ask(seen([], [], record()), { desired: undefined }))).toEqual(["forget"]));
});

describe("odd ends of the holder", () => {
  test("an attempt that never began is voided, and another one starts only when that is certain", () =>
    expect(types(ask(seen([attempt(null, { holder: undefined, meta: undefined })])))).toEqual(["void"]));
  test("a launching shell at work is waited for", () =>
    expect(ask(seen([attempt(null, { holder: { pid: 10, stopped: false } })]))).toMatchObject({ actions: [], wakeAt: NOW + 20 }));
  test("a workload whose holder was killed goes on, and never has a twin", () => {
    const current = { attempt: "w@0@1", revision: "r1", path: "w@0", startedAt: meta.startedAt, stopSignal: "SIGINT", gracePeriodSeconds: 5 } as const;
    expect(ask(seen([attempt(null, { holder: undefined, meta: undefined })], [11], record({ current })))).toMatchObject({
      actions: [{ type: "void" }],
      state: expect.anything(),
    });
    expect(ask(seen([], [11], record({ current })))).toMatchObject({ actions: [], state: { running: { pid: 11 } } });
    const gone = { desired: undefined };
    expect(ask(seen([], [11], record({ current })), gone)).toMatchObject({
      actions: [{ type: "signalAll", path: "w@0", signal: "SIGINT", record: { stopping: { attempt: "w@0@1", since: NOW } } }],
      wakeAt: NOW + 5000,
    });
    const stopping = record({ current, stopping: { attempt: "w@0@1", since: NOW } });
    expect(ask(seen([], [11], stopping), { ...gone, now: NOW + 4999 })).toMatchObject({ actions: [], wakeAt: NOW + 5000 });
    expect(types(ask(seen([], [11], stopping), { ...gone, now: NOW + 5000 }))).toEqual(["kill"]);
    expect(types(ask(seen([], [11], record({ current })), { desired: desired("{command: [x]}", "r2") }))).toEqual(["signalAll"]);
    expect(ask(seen([], [11], record({ current })), gone).actions.map(describeAction)).toEqual([
      "stop w@0, whose holder is gone: SIGINT to all its processes (not declared any more)",
    ]);
  });
  test("a workload whose holder was killed is restarted and replaced as any other, in its turn", () => {
    const current = { attempt: "w@0@1", revision: "r1", path: "w@0", startedAt: meta.startedAt, stopSignal: "SIGINT", gracePeriodSeconds: 5 } as const;
    const orphan = seen([], [11], record({ current }));
    expect(ask(orphan, { restartAfter: NOW - 1 }).actions).toMatchObject([{ type: "signalAll", reason: "restart asked for" }]);
    expect(ask(orphan, { restartAfter: Date.parse(meta.startedAt) - 1 }).actions).toEqual([]);
    for (const waits of [{ mayReplace: false }, { unmet: "waits for db" }, { frozen: true }, { obstacle: "gone" }])
      expect(ask(orphan, { desired: desired("{command: [x]}", "r2"), ...waits }).actions).toEqual([]);
  });
  test("what may not have got its signal is asked again, with all its time", () => {
    const current = { attempt: "w@0@1", revision: "r1", path: "w@0", startedAt: meta.startedAt, stopSignal: "SIGTERM", gracePeriodSeconds: 30 } as const;
    const stopping = { attempt: "w@0@1", since: NOW - 60_000, unsent: true };
    for (const attempts of [[attempt()], []]) {
      const { actions, wakeAt } = ask(seen(attempts, [11], record({ current, stopping })), { desired: undefined });
      expect(actions).toMatchObject([{ signal: "SIGTERM", record: { stopping: { since: NOW } } }]);
      expect(actions).not.toMatchObject([{ record: { stopping: { unsent: true } } }]);
      expect(wakeAt).toBe(NOW + 30_000);
    }
  });
  test("what was restarted as often as it may stays down, and that is told once", () => {
    const limited = { desired: desired("{command: [x], maxRestarts: {count: 2, window: 1m}}") };
    const ended = record({ last: last({ finishedAt: new Date(NOW - 600_000).toISOString() }), restartTimes: [NOW - 610_000, NOW - 605_000] });
    const first = ask(seen([], [], ended), limited);
    expect(first).toMatchObject({
      actions: [{ type: "conclude", outcome: "RestartLimitExceeded", note: expect.stringContaining("2 restarts in 60s"), record: { gaveUp: "w@0@0" } }],
      state: { waiting: { reason: "RestartLimitExceeded" } },
    });
    expect(ask(seen([], [], (first.actions[0] as { record: ReplicaRecord }).record), limited)).toMatchObject({
      actions: [],
      state: { waiting: { reason: "RestartLimitExceeded" } },
    });
  });
  test("a workload whose killMode is ControlGroup has its holder, and is not told otherwise", () => {
    const { actions } = ask(seen([attempt()], [11, 12]), { desired: desired("{command: [x], killMode: ControlGroup}", "r2") });
    expect(actions.map(describeAction)).toContain("stop w@0: SIGTERM to all its processes (new revision)");
  });
  test("a workload that is gone without a trace is recorded as such", () => {
    const current = { attempt: "w@0@1", revision: "r1", path: "w@0", startedAt: meta.startedAt, stopSignal: "SIGINT", gracePeriodSeconds: 5 } as const;
    expect(ask(seen([], [], record({ current })))).toMatchObject({
      actions: [{ type: "record", terminated: { reason: "ExitStatusUnknown", exitCode: null } }],
    });
  });
  test("a workload that is gone without a trace was asked to end, or had failed, by what was begun", () => {
    const current = { attempt: "w@0@1", revision: "r1", path: "w@0", startedAt: meta.startedAt, stopSignal: "SIGINT", gracePeriodSeconds: 5 } as const;
    const recorded = (reason: StopReason): unknown => {
      const [action] = ask(seen([], [], record({ current, stopping: { attempt: "w@0@1", since: NOW - 1, reason } }))).actions;
      return action?.type === "record" ? [action.asked, action.record.streak, action.record.last?.why] : undefined;
    };
    expect(recorded("restart asked for")).toEqual([true, 0, "restart asked for"]);
    expect(recorded("liveness probe failed")).toEqual([false, 1, "liveness probe failed"]);
  });
});

test("a clock that was set back holds up no restart", () => {
  const crashed = record({ streak: 3, last: last(), notBefore: NOW + 86_400_000 });
  expect(types(ask(seen([], [], crashed)))).toEqual(["start"]);
  expect(types(ask(seen([], [], { ...crashed, notBefore: NOW + 20_000 })))).toEqual([]);
});
