/** Knows what Prometheus is told: the controller's own work under controller-runtime's names, and of each object its limits, usage, drift and restarts. */
import { setImmediate as breath } from "node:timers/promises";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Usage } from "../cgroup/usage.ts";
import type { Action } from "../plan/action.ts";
import type { Engine } from "../reconcile/engine.ts";
import type { Pass } from "../reconcile/pass.ts";
import type { Answer } from "./answer.ts";
import { readyOf, statusOf } from "./cells.ts";
import type { Feed } from "./feed.ts";
import { limitValues } from "./limitValues.ts";
import { objectKeyOf, type Served } from "./object.ts";

export interface Metrics {
  readonly passed: (pass: Pass) => void;
  /** One action, and how long it took. */
  readonly done: (action: Action, seconds: number, failed: boolean) => void;
  readonly answer: () => Promise<Answer>;
}

/** A name behind `holdfast_`, what it is, and how it is read from what a cgroup uses; `_total` are counters. */
const USAGE: readonly (readonly [name: string, help: string, of: (usage: Usage) => number | undefined])[] = [
  ["cpu_usage_seconds_total", "CPU time used.", ({ cpuUsec }) => seconds(cpuUsec)],
  ["cpu_throttled_seconds_total", "Time in which cpu.max kept processes from running.", ({ throttledUsec }) => seconds(throttledUsec)],
  ["cpu_throttled_periods_total", "Periods in which cpu.max kept processes from running.", ({ throttledPeriods }) => throttledPeriods],
  ["memory_usage_bytes", "Memory in use, page cache included.", ({ memory }) => memory],
  ["memory_swap_bytes", "Swap in use.", ({ swap }) => swap],
  ["memory_limit_hits_total", "How often memory.max was reached (v1: memory.failcnt).", ({ memoryLimitHits }) => memoryLimitHits],
  ["memory_oom_kills_total", "Processes that were killed for memory.", ({ oomKills }) => oomKills],
  ["pids", "Processes and threads.", ({ pids }) => pids],
  ["pids_limit_hits_total", "Forks that pids.max refused.", ({ pidsLimitHits }) => pidsLimitHits],
  ["io_read_bytes_total", "Bytes read from disks.", ({ readBytes }) => readBytes],
  ["io_written_bytes_total", "Bytes written to disks.", ({ writeBytes }) => writeBytes],
  ["io_reads_total", "Reads from disks.", ({ reads }) => reads],
  ["io_writes_total", "Writes to disks.", ({ writes }) => writes],
  ["cpu_pressure_ratio", "Share of the last 10 s in which some process waited for a CPU (PSI).", ({ cpuPressure }) => ratio(cpuPressure)],
  ["memory_pressure_ratio", "Share of the last 10 s in which some process waited for memory (PSI).", ({ memoryPressure }) => ratio(memoryPressure)],
  ["io_pressure_ratio", "Share of the last 10 s in which some process waited for a disk (PSI).", ({ ioPressure }) => ratio(ioPressure)],
];
const seconds = (microseconds: number | undefined): number | undefined => (microseconds === undefined ? undefined : microseconds / 1e6);
const ratio = (percent: number | undefined): number | undefined => (percent === undefined ? undefined : percent / 100);

const OBJECT = ["kind", "name"] as const;
const CONTROLLER = { controller: "holdfast" };
const QUEUE = { name: "cgroups", controller: "holdfast" };
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function metricsOf(feed: Feed, engine: () => Engine): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // Looking at the event loop a hundred times a second, as is usual, costs more than all of the rest; seldom, it tells nothing.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10_000 });
  // Gauges under counters' names.
  const unwanted = /^nodejs_(eventloop_lag|active_(handles|requests|resources)_total)/;
  for (const { name } of registry.getMetricsAsArray()) if (unwanted.test(name)) registry.removeSingleMetric(name);
  const counter = <N extends string>(name: string, help: string, labelNames: readonly N[] = []) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const gauge = <N extends string>(name: string, help: string, labelNames: readonly N[] = []) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const histogram = <N extends string>(name: string, help: string, labelNames: readonly N[] = []) =>
    new Histogram({ name, help, labelNames: [...labelNames], buckets: BUCKETS, registers });

  const total = counter("controller_runtime_reconcile_total", "Passes, by what came of them.", ["controller", "result"]);
  const errors = counter("controller_runtime_reconcile_errors_total", "Passes in which something was refused.", ["controller"]);
  const time = histogram("controller_runtime_reconcile_time_seconds", "How long passes took.", ["controller"]);
  const most = gauge("controller_runtime_max_concurrent_reconciles", "Passes at a time: one.", ["controller"]);
  const depth = gauge("workqueue_depth", "Cgroups that wait to be looked at.", ["name", "controller"]);
  const work = histogram("workqueue_work_duration_seconds", "How long passes took.", ["name", "controller"]);
  const actions = counter("holdfast_actions_total", "What was done to the machine, by type and cause.", ["type", "cause", "result"]);
  const writes = histogram("holdfast_write_duration_seconds", "How long writes of limits took.", []);
  const build = gauge("holdfast_build_info", "Version of Holdfast.", ["version"]);
  for (const result of ["success", "error", "requeue", "requeue_after"]) total.inc({ ...CONTROLLER, result }, 0);
  errors.inc(CONTROLLER, 0);
  most.set(CONTROLLER, 1);
  build.set({ version: feed.place.version }, 1);

  const objects = gauge("holdfast_object_ready", "1: the kernel says what the manifest says.", [...OBJECT, "reason"]);
  const drift = counter("holdfast_drift_total", "Differences that were repaired or reported.", OBJECT);
  const open = gauge("holdfast_drift_open", "Differences that are left as they are.", OBJECT);
  const detection = gauge("holdfast_drift_detection_seconds", "How soon the latest difference was noticed; by a look: at the most.", [...OBJECT, "by"]);
  const restarts = counter("holdfast_workload_restarts_total", "Restarts of all replicas.", ["name"]);
  const replicas = gauge("holdfast_workload_replicas", "Replicas: declared, ready, updated.", ["name", "state"]);
  const desired = gauge("holdfast_limit_desired", "What the kernel makes of what is declared, in the unit of the knob (cpu.max in CPUs); +Inf is no limit.", [
    ...OBJECT,
    "knob",
  ]);
  const observed = gauge("holdfast_limit_observed", "What the kernel says, in the same unit.", [...OBJECT, "knob"]);
  const desiredRate = gauge("holdfast_io_limit_desired", "io.max of a disk: bytes or operations per second; +Inf is no limit.", [...OBJECT, "device", "rate"]);
  const observedRate = gauge("holdfast_io_limit_observed", "What the kernel says of it.", [...OBJECT, "device", "rate"]);
  const members = gauge("holdfast_members", "Processes that rules concern.", ["name", "state"]);
  const usages = USAGE.map(([name, help, of]) => ({ of, metric: (name.endsWith("_total") ? counter : gauge)(`holdfast_${name}`, help, OBJECT) }));

  const collect = async (): Promise<void> => {
    const all = [objects, drift, open, detection, restarts, replicas, desired, observed, desiredRate, observedRate, members];
    for (const metric of [...all, ...usages.map(({ metric: one }) => one)]) metric.reset();
    let index = 0;
    for (const object of feed.own()) {
      // Whoever waits for a pass comes first.
      if (++index % 20 === 0) await breath();
      const labels = { kind: object.kind, name: object.metadata.name };
      about(object, labels);
      const { limits, rates } = limitValues(engine(), feed.pathsOf(objectKeyOf(object)));
      for (const { knob, desired: wanted, observed: found } of limits) {
        desired.set({ ...labels, knob }, wanted);
        if (found !== undefined) observed.set({ ...labels, knob }, found);
      }
      for (const { device, rate, desired: wanted, observed: found } of rates) {
        desiredRate.set({ ...labels, device, rate }, wanted);
        if (found !== undefined) observedRate.set({ ...labels, device, rate }, found);
      }
      const usage = feed.usageOf(object, "closely");
      if (usage)
        for (const { of, metric } of usages) {
          const value = of(usage);
          if (value !== undefined) metric.inc(labels, value);
        }
    }
  };
  const about = (object: Served, labels: { kind: string; name: string }): void => {
    const { kind, name } = labels;
    const status = statusOf(object);
    const ready = readyOf(object);
    objects.set({ ...labels, reason: ready.reason || "Unknown" }, ready.status === "True" ? 1 : 0);
    const fields = status.drift?.fields ?? [];
    drift.inc(labels, status.drift?.count ?? 0);
    open.set(labels, fields.filter((field) => field.open).length);
    const last = fields.at(-1)?.detection;
    if (last) detection.set({ ...labels, by: last.by }, last.seconds);
    if (kind === "Workload") {
      restarts.inc({ name }, status.restartCount ?? 0);
      for (const [state, count] of [
        ["declared", status.replicas],
        ["ready", status.readyReplicas],
        ["updated", status.updatedReplicas],
      ] as const)
        replicas.set({ name, state }, count ?? 0);
    }
    const counts = status.members;
    if (counts)
      for (const [state, count] of [
        ["expected", counts.expectedCount],
        ["missing", counts.missingCount],
        ["unexpected", counts.unexpectedCount],
        ["refused", counts.refusedCount],
      ] as const)
        members.set({ name, state }, count);
  };

  /** Two that ask at once get one answer. */
  let pending: Promise<Answer> | undefined;
  const answer = async (): Promise<Answer> => {
    await collect();
    return { code: 200, type: registry.contentType, body: await registry.metrics() };
  };
  return {
    passed: ({ seconds: took, outcomes, failed, queued }) => {
      const refused = failed || outcomes.some(({ error }) => error);
      total.inc({ ...CONTROLLER, result: refused ? "error" : "success" });
      if (refused) errors.inc(CONTROLLER);
      time.observe(CONTROLLER, took);
      work.observe(QUEUE, took);
      depth.set(QUEUE, queued);
    },
    done: (action, took, failed) => {
      actions.inc({ type: action.type, cause: "cause" in action ? action.cause : "none", result: failed ? "error" : "success" });
      if (action.type === "write") writes.observe(took);
    },
    answer: () => {
      pending ??= answer().finally(() => {
        pending = undefined;
      });
      return pending;
    },
  };
}
