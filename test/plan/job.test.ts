import { describe, expect, test } from "@jest/globals";
import type { WorkloadResource } from "../../src/api/resource.ts";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import type { ObservedAttempt, ReplicaRecord } from "../../src/plan/observed.ts";
import type { Question } from "../../src/plan/question.ts";
import { decide } from "../../src/plan/replica.ts";
import { manifestsOf, workload } from "../support/manifests.ts";
import { PLAIN_QUESTION } from "../support/question.ts";

/** Due every ten minutes: the last time at 00:10:00. */
const NOW = Date.parse("2026-01-01T00:10:05Z");
const at = (time: string): number => Date.parse(`2026-01-01T${time}Z`);
const SCHEDULE = 'schedule: "*/10 * * * *", timeZone: UTC';

function ask(
  record: Partial<ReplicaRecord> | undefined,
  { spec = "", running = false, revision = "r", now = NOW, ...more }: Partial<Question> & { spec?: string; running?: boolean; revision?: string } = {},
) {
  const resource = manifestsOf({ "a.yaml": workload("w", `{command: [x], ${SCHEDULE}${spec ? `, ${spec}` : ""}}`) }).resources.get(
    "Workload/w",
  ) as WorkloadResource;
  const path = "w@0" as CgroupPath;
  const known = record && { starts: 1, restarts: 0, streak: 0, schedule: { expression: "*/10 * * * *", from: at("00:00:00") }, ...record };
  const startedAt = new Date(record?.run?.since ?? now).toISOString();
  const meta = { workload: "w", ordinal: 0, path, revision: "r", startedAt, oomKills: 0, stopSignal: "SIGTERM" as const, gracePeriodSeconds: 30 };
  const attempt: ObservedAttempt = {
    id: "w@0@1",
    replica: "w@0",
    holder: { pid: 1, stopped: true },
    meta,
    main: { pid: 2, exited: false, waitStatus: 0, neverExeced: false, stage: undefined, strayed: [] },
  };
  const current = { attempt: "w@0@1", revision: "r", path, startedAt, stopSignal: "SIGTERM" as const, gracePeriodSeconds: 30 };
  return decide({
    ...PLAIN_QUESTION,
    desired: { id: "w@0", path, resource, ordinal: 0, argv: ["x"], initCommands: [], env: [], wrap: [], container: undefined, revision, obstacle: undefined },
    observed: {
      attempts: running ? [attempt] : [],
      members: new Map([[path, running ? [2] : []]]),
      record: known && { ...known, ...(running ? { current } : {}) },
    },
    now,
    ...more,
  });
}
const ended = (more: Partial<NonNullable<ReplicaRecord["last"]>> = {}): NonNullable<ReplicaRecord["last"]> => ({
  exitCode: 0,
  signal: null,
  reason: "Completed",
  startedAt: new Date(at("00:00:00")).toISOString(),
  finishedAt: new Date(at("00:00:01")).toISOString(),
  attempt: "w@0@0",
  revision: "r",
  ...more,
});
const failed = ended({ exitCode: 1, reason: "Error" });
const run = (retries = 0) => ({ since: at("00:00:00"), due: at("00:00:00"), retries });

describe("a run", () => {
  test("does not begin for what was due before the schedule was known", () =>
    expect(ask(undefined)).toMatchObject({
      actions: [{ type: "note", record: { schedule: { expression: "*/10 * * * *", from: NOW } } }],
      state: { waiting: { reason: "Scheduled", message: "next run at 2026-01-01T00:20:00.000Z" } },
    }));
  test("nor when the schedule is another one", () =>
    expect(ask({ schedule: { expression: "0 0 * * *", from: at("00:00:00") } }).actions).toMatchObject([
      { type: "note", record: { schedule: { from: NOW } } },
    ]));
  test("begins when it is due, late by as much as may be", () => {
    expect(ask({}).actions).toMatchObject([{ type: "start", reason: "scheduled", record: { run: { due: at("00:10:00"), since: NOW, retries: 0 } } }]);
    expect(ask({}, { spec: "startingDeadlineSeconds: 5" }).actions).toMatchObject([{ type: "start" }]);
    expect(ask({}, { spec: "startingDeadlineSeconds: 4" }).actions).toMatchObject([{ type: "conclude", outcome: "MissedSchedule" }]);
  });
  test("is not made up for more than once", () => {
    expect(ask({}, { now: at("05:00:01") }).actions).toMatchObject([{ type: "start", record: { schedule: { from: at("05:00:00") } } }]);
    expect(ask({ schedule: { expression: "*/10 * * * *", from: at("00:10:00") } })).toMatchObject({ actions: [], state: { waiting: { reason: "Scheduled" } } });
  });
  test("does not begin while it is suspended", () =>
    expect(ask({}, { spec: "suspend: true" })).toMatchObject({ actions: [], state: { waiting: { reason: "Suspended" } } }));
  test("begins when somebody asks", () =>
    expect(ask({ schedule: { expression: "*/10 * * * *", from: at("00:10:00") } }, { restartAfter: NOW - 1 }).actions).toMatchObject([
      { type: "start", reason: "restart asked for" },
    ]));
});

describe("a run that ended", () => {
  test("well is complete, and remembered", () =>
    expect(ask({ run: run(), last: ended() }).actions).toMatchObject([
      { type: "conclude", outcome: "JobComplete", record: { history: [{ succeeded: true, scheduledTime: "2026-01-01T00:00:00.000Z", retries: 0 }] } },
    ]));
  test("badly is tried again, up to backoffLimit", () => {
    expect(ask({ run: run(), last: failed, notBefore: NOW + 9 })).toMatchObject({
      actions: [],
      state: { waiting: { reason: "CrashLoopBackOff" } },
      wakeAt: NOW + 9,
    });
    expect(ask({ run: run(), last: failed }).actions).toMatchObject([{ type: "start", reason: "restart", record: { run: run(1) } }]);
    expect(ask({ run: run(6), last: failed }).actions).toMatchObject([
      { outcome: "JobFailed", record: { history: [{ reason: "BackoffLimitExceeded", retries: 6 }] } },
    ]);
    expect(ask({ run: run(), last: failed }, { spec: "backoffLimit: 0" }).actions).toMatchObject([{ outcome: "JobFailed" }]);
  });
  test("badly with restartPolicy Never has failed, unless a rule says otherwise", () => {
    expect(ask({ run: run(), last: failed }, { spec: "restartPolicy: Never" }).actions).toMatchObject([
      { outcome: "JobFailed", record: { history: [{ reason: "Error" }] } },
    ]);
    const rule = "restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]";
    expect(ask({ run: run(), last: failed }, { spec: rule }).actions).toMatchObject([{ type: "start" }]);
  });
  test("keeps as many results as asked for", () => {
    const result = (minute: number, succeeded: boolean) => ({
      scheduledTime: `t${minute}`,
      startTime: "",
      completionTime: "",
      succeeded,
      reason: "",
      exitCode: 0,
      signal: null,
      retries: 0,
    });
    const history = [result(0, false), result(1, true), result(2, true), result(3, false), result(4, true)];
    const [action] = ask({ run: run(), last: ended(), history }).actions;
    expect(action?.type === "conclude" && action.record.history?.map(({ scheduledTime }) => scheduledTime)).toEqual([
      "t2",
      "t3",
      "t4",
      "2026-01-01T00:00:00.000Z",
    ]);
  });
});

describe("a run at work", () => {
  const working = { run: run(), schedule: { expression: "*/10 * * * *", from: at("00:00:00") } };
  test("is left alone when the next is due", () => expect(ask(working, { running: true }).actions.map(({ type }) => type)).toEqual([]));
  test("is replaced where that is asked for, and the next begins after it", () => {
    expect(ask(working, { running: true, spec: "concurrencyPolicy: Replace" }).actions).toMatchObject([{ type: "signal", reason: "replaced by the next run" }]);
    const last = ended({ asked: true, why: "replaced by the next run", signal: "SIGTERM", exitCode: null, reason: "Error" });
    expect(ask({ ...working, last }, { spec: "concurrencyPolicy: Replace" }).actions).toMatchObject([
      { outcome: "JobFailed", record: { history: [{ reason: "Replaced" }] } },
    ]);
  });
  test("is ended at its deadline, and not tried again", () => {
    expect(ask(working, { running: true, spec: "activeDeadlineSeconds: 606" })).toMatchObject({ actions: [], wakeAt: at("00:10:06") });
    expect(ask(working, { running: true, spec: "activeDeadlineSeconds: 605" }).actions).toMatchObject([{ type: "signal", reason: "active deadline exceeded" }]);
    const last = ended({ reason: "DeadlineExceeded", why: "active deadline exceeded" });
    expect(ask({ ...working, last }, { spec: "activeDeadlineSeconds: 605" }).actions).toMatchObject([
      { outcome: "JobFailed", record: { history: [{ reason: "DeadlineExceeded" }] } },
    ]);
  });
  test("is not touched by a new revision", () => {
    const edited = { running: true, revision: "edited" };
    expect(ask(working, edited).actions.filter(({ type }) => type !== "adopt")).toEqual([]);
    expect(ask({ ...working, last: failed }, { revision: "edited" }).actions).toMatchObject([{ type: "start", reason: "restart" }]);
  });
});
