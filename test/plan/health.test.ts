import { describe, expect, test } from "@jest/globals";
import type { Probe } from "../../src/api/resource.ts";
import { isAlive, isStarted, nextHealth, readySince } from "../../src/plan/health.ts";
import type { Health, ReplicaRecord } from "../../src/plan/observed.ts";

const NOW = Date.parse("2026-01-01T00:10:00Z");
const startedAt = "2026-01-01T00:00:00.000Z";
const current = { attempt: "a", revision: "r", path: "w@0", startedAt, stopSignal: "SIGTERM", gracePeriodSeconds: 1 } as const;
const record = (more: Partial<ReplicaRecord> = {}): ReplicaRecord => ({ starts: 1, restarts: 0, streak: 0, current, ...more });
const good: Health = { attempt: "a", hooked: true, started: true, ready: true, since: 5 };
const probe: Probe = {
  handler: { exec: ["x"] },
  initialDelaySeconds: 0,
  periodSeconds: 1,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 1,
  gracePeriodSeconds: undefined,
};

describe("what runs", () => {
  test("without probes and hooks is ready since it started", () => {
    expect(readySince(record())).toBe(Date.parse(startedAt));
    expect([isAlive(record()), isStarted(record())]).toEqual([true, true]);
  });
  test("with them is ready as its health says, and that of no other attempt", () => {
    const watched = { current: { ...current, watched: true } };
    expect(readySince(record(watched))).toBeUndefined();
    expect(isStarted(record(watched))).toBe(false);
    expect(readySince(record({ ...watched, health: good }))).toBe(5);
    expect(readySince(record({ ...watched, health: { ...good, attempt: "b" } }))).toBeUndefined();
    expect(readySince(record({ ...watched, health: { ...good, ready: false } }))).toBeUndefined();
  });
  test("and is being ended is not ready, unless it is spared", () => {
    expect(readySince(record({ stopping: { attempt: "a", since: 1 } }))).toBeUndefined();
    expect(readySince(record({ stopping: { attempt: "a", since: 1, spared: true } }))).toBeDefined();
    expect(readySince(record({ stopping: { attempt: "b", since: 1 } }))).toBeDefined();
  });
  test("and has ended is not alive", () => {
    const last = { exitCode: 0, signal: null, reason: "Completed", startedAt, finishedAt: startedAt, attempt: "a", revision: "r" } as const;
    expect([isAlive(record({ last })), readySince(record({ last }))]).toEqual([false, undefined]);
    expect(isAlive(undefined)).toBe(false);
  });
});

describe("health", () => {
  const next = (probes: Parameters<typeof nextHealth>[0], before: Health | undefined, hooked: boolean, found?: object): Health =>
    nextHealth(probes, "a", before, hooked, found && { attempt: "a", started: true, ready: true, ...found }, NOW);
  test("waits for the hook, the startup probe and the readiness probe", () => {
    expect(next({}, undefined, false)).toEqual({ attempt: "a", hooked: false, started: false, ready: false });
    expect(next({}, undefined, true)).toMatchObject({ started: true, ready: true, since: NOW });
    expect(next({ startup: probe }, undefined, true)).toMatchObject({ started: false, ready: false });
    expect(next({ startup: probe }, undefined, true, {})).toMatchObject({ started: true, ready: true });
    expect(next({ readiness: probe }, undefined, true, { ready: false })).toMatchObject({ started: true, ready: false });
  });
  test("without findings is what it was: a controller that begins changes nothing", () => {
    expect(next({ startup: probe, readiness: probe }, good, true)).toEqual(good);
    expect(next({ readiness: probe }, { ...good, complaint: "c" }, true)).toMatchObject({ ready: true, since: 5, complaint: "c" });
  });
  test("counts from when it became ready", () => {
    expect(next({ readiness: probe }, good, true, {})).toMatchObject({ since: 5 });
    expect(next({ readiness: probe }, { attempt: "a", hooked: true, started: true, ready: false }, true, {})).toMatchObject({ since: NOW });
  });
  test("heeds the findings of its own attempt alone", () =>
    expect(nextHealth({ readiness: probe }, "a", good, true, { attempt: "b", started: true, ready: false }, NOW)).toEqual(good));
});
