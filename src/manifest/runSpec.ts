/** Knows how the spec of a Workload becomes what is run: every default filled in, what contradicts itself reported. */
import type { Report } from "../api/problem.ts";
import { type Parsed, parseBytes, parseCpuList, parseDuration } from "../api/quantity.ts";
import type { Backoff, Handler, Identity, Job, Logs, Probe, Rlimit, RunSpec, Strategy } from "../api/resource.ts";
import { parseSchedule, parseTimeZone } from "../api/schedule.ts";
import type { Workload, Handler as WrittenHandler, Probe as WrittenProbe } from "../api/schema.ts";
import { confinement } from "./confinement.ts";

type Spec = Workload["spec"];

/** Takes what was parsed, or reports at the pointer what was expected. */
type Take = <T>(pointer: string, parsed: Parsed<T>, otherwise: T) => T;

export function runSpec(spec: Spec, annotations: Readonly<Record<string, string>>, report: Report): RunSpec {
  const take: Take = (pointer, parsed, otherwise) => {
    if ("ok" in parsed) return parsed.ok;
    report("InvalidValue", pointer, `expected ${parsed.bad}`, parsed.hint);
    return otherwise;
  };
  const milliseconds: Milliseconds = (pointer, text) => take(pointer, parseDuration(text), Number.NaN) / 1000;
  const [startup, liveness, readiness] = (["startup", "liveness", "readiness"] as const).map((which) => probe(which, spec[`${which}Probe`], report));
  checkNames(spec, report);
  checkPrograms(spec, report);
  return {
    replicas: spec.replicas ?? 1,
    strategy: strategy(spec, report),
    argv: [...(spec.command ?? []), ...(spec.args ?? [])],
    initCommands: (spec.initCommands ?? []).map(({ name, command, args = [] }) => ({ name, argv: [...command, ...args] })),
    env: (spec.env ?? []).map((variable) => [variable.name, variable.value ?? ""] as const),
    envFrom: (spec.envFrom ?? []).map(({ file, optional = false }) => ({ file, optional })),
    workingDir: spec.workingDir ?? "/",
    identity: identity(spec, take, report),
    restartPolicy: spec.restartPolicy ?? (spec.schedule === undefined ? "Always" : "OnFailure"),
    restartRules: (spec.restartPolicyRules ?? []).map(({ exitCodes }) => exitCodes),
    backoff: backoff(spec, milliseconds, report),
    maxRestarts: maxRestarts(spec, milliseconds, report),
    gracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    stopSignal: spec.stopSignal ?? "SIGTERM",
    killMode: spec.killMode ?? "Mixed",
    probes: { ...(startup ? { startup } : {}), ...(liveness ? { liveness } : {}), ...(readiness ? { readiness } : {}) },
    postStart: spec.lifecycle?.postStart && handler(spec.lifecycle.postStart),
    preStop: spec.lifecycle?.preStop && handler(spec.lifecycle.preStop),
    dependsOn: (spec.dependsOn ?? []).map(({ name, condition = "Ready" }) => ({ name, condition })),
    job: job(spec, take, report),
    logs: logs(spec, take),
    confinement: confinement(spec, annotations, report),
  };
}

type Milliseconds = (pointer: string, text: string) => number;

/** What is not written gives way to what is: `max: 5s` alone is a first pause of five seconds. */
function backoff({ backoff: written = {} }: Spec, milliseconds: Milliseconds, report: Report): Backoff {
  const { initial, factor = 2, max = "5m", resetAfter = "10m" } = written;
  const longest = milliseconds("/spec/backoff/max", max);
  const first = milliseconds("/spec/backoff/initial", initial ?? "10s");
  if (initial !== undefined && first > longest)
    report("InvalidValue", "/spec/backoff/initial", `expected at most the longest pause (max: ${max}), found ${initial}`);
  return { initial: Math.min(first, longest), factor, max: longest, resetAfter: milliseconds("/spec/backoff/resetAfter", resetAfter) };
}

function maxRestarts({ maxRestarts: written }: Spec, milliseconds: Milliseconds, report: Report): RunSpec["maxRestarts"] {
  if (!written) return undefined;
  const { count, window } = written;
  if (window === undefined) return { count, window };
  const length = milliseconds("/spec/maxRestarts/window", window);
  if (length === 0)
    report("InvalidValue", "/spec/maxRestarts/window", `expected a time longer than none, found ${window}`, "without a window all restarts count");
  return { count, window: length };
}

/** A percentage is of the replicas, rounded down, as in a Deployment; at least one, or nothing would ever move. */
function strategy({ strategy = {}, replicas = 1 }: Spec, report: Report): Strategy {
  const { maxUnavailable = 1, minReadySeconds = 0, progressDeadlineSeconds = 600 } = strategy;
  if (progressDeadlineSeconds <= minReadySeconds)
    report(
      "InvalidValue",
      `/spec/strategy/${strategy.progressDeadlineSeconds === undefined ? "minReadySeconds" : "progressDeadlineSeconds"}`,
      `expected progressDeadlineSeconds (${progressDeadlineSeconds}) to be greater than minReadySeconds (${minReadySeconds}): no rollout could succeed`,
    );
  const count = typeof maxUnavailable === "number" ? maxUnavailable : Math.floor((replicas * Number.parseInt(maxUnavailable, 10)) / 100);
  return { maxUnavailable: Math.max(1, count), minReadySeconds, progressDeadlineSeconds };
}

function identity(spec: Spec, take: Take, report: Report): Identity {
  const { user, group, supplementaryGroups, umask, nice, ioPriority, schedulingPolicy, cpuAffinity, oomScoreAdj, rlimits } = spec;
  const realTime = schedulingPolicy?.policy === "SCHED_FIFO" || schedulingPolicy?.policy === "SCHED_RR";
  if (schedulingPolicy && realTime !== (schedulingPolicy.priority !== undefined))
    report(
      "InvalidValue",
      "/spec/schedulingPolicy",
      realTime ? `expected a priority for ${schedulingPolicy.policy}` : `expected no priority: ${schedulingPolicy.policy} has none`,
      realTime ? "from 1 to 99" : "see nice",
    );
  if (ioPriority?.class === "IOPRIO_CLASS_IDLE" && ioPriority.priority !== undefined)
    report("InvalidValue", "/spec/ioPriority/priority", "expected no priority: IOPRIO_CLASS_IDLE has none");
  return {
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    ...(supplementaryGroups === undefined ? {} : { supplementaryGroups }),
    ...(umask === undefined ? {} : { umask }),
    ...(nice === undefined ? {} : { nice }),
    ...(ioPriority === undefined ? {} : { ioPriority: { class: ioPriority.class, priority: ioPriority.priority ?? 4 } }),
    ...(schedulingPolicy === undefined ? {} : { schedulingPolicy: { policy: schedulingPolicy.policy, priority: schedulingPolicy.priority ?? 0 } }),
    ...(cpuAffinity === undefined ? {} : { cpuAffinity: take("/spec/cpuAffinity", parseCpuList(cpuAffinity), "0") }),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    ...(rlimits === undefined ? {} : { rlimits: rlimits.map((limit, index) => rlimit(limit, `/spec/rlimits/${index}`, report)) }),
  };
}

function rlimit({ type, soft, hard = soft }: NonNullable<Spec["rlimits"]>[number], pointer: string, report: Report): Rlimit {
  const amount = (value: string | number): bigint => (value === "unlimited" ? 2n ** 64n : BigInt(value));
  if (type === "RLIMIT_NPROC")
    report(
      "InvalidValue",
      `${pointer}/type`,
      "expected another limit: RLIMIT_NPROC counts all processes of the user on the whole host, not those of the workload, and does not hold for root",
      "write limits: {pids.max: …}, which counts the workload's own",
    );
  if (amount(soft) > amount(hard)) report("InvalidValue", `${pointer}/soft`, `expected at most the hard limit (${hard}), found ${soft}`);
  return { type, soft: String(soft), hard: String(hard) };
}

function handler(written: WrittenHandler): Handler {
  const { exec, httpGet, tcpSocket, sleep } = written;
  if (exec) return { exec: exec.command };
  if (tcpSocket) return { tcpSocket: { host: tcpSocket.host ?? "127.0.0.1", port: tcpSocket.port } };
  if (!httpGet) return { sleep: sleep?.seconds ?? 0 };
  const { host = "127.0.0.1", port, path = "/", scheme = "HTTP", httpHeaders = [] } = httpGet;
  return { httpGet: { host, port, path, scheme, headers: httpHeaders.map(({ name, value }) => [name, value] as const) } };
}

function probe(which: "startup" | "liveness" | "readiness", written: WrittenProbe | undefined, report: Report): Probe | undefined {
  if (!written) return undefined;
  const pointer = `/spec/${which}Probe`;
  const ways = [written.exec, written.httpGet, written.tcpSocket].filter((way) => way !== undefined).length;
  if (ways !== 1) report("InvalidValue", pointer, `expected one of exec, httpGet and tcpSocket, found ${ways === 0 ? "none" : ways}`);
  const { successThreshold = 1, terminationGracePeriodSeconds } = written;
  if (which !== "readiness" && successThreshold !== 1) report("InvalidValue", `${pointer}/successThreshold`, `expected 1 for a ${which} probe`);
  if (which === "readiness" && terminationGracePeriodSeconds !== undefined)
    report("InvalidValue", `${pointer}/terminationGracePeriodSeconds`, "expected no such field: a readiness probe stops nothing");
  return {
    handler: handler(written),
    initialDelaySeconds: written.initialDelaySeconds ?? 0,
    periodSeconds: written.periodSeconds ?? 10,
    timeoutSeconds: written.timeoutSeconds ?? 1,
    successThreshold,
    failureThreshold: written.failureThreshold ?? 3,
    gracePeriodSeconds: terminationGracePeriodSeconds,
  };
}

/** Fields that mean something beside a schedule only. */
const OF_SCHEDULE = ["timeZone", "concurrencyPolicy", "startingDeadlineSeconds", "suspend", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] as const;

function job(spec: Spec, take: Take, report: Report): Job {
  const { schedule, timeZone, activeDeadlineSeconds, restartPolicy } = spec;
  for (const field of schedule === undefined ? OF_SCHEDULE : [])
    if (spec[field] !== undefined) report("InvalidValue", `/spec/${field}`, "expected a schedule beside it", 'such as schedule: "17 3 * * *"');
  const always = restartPolicy === "Always" || (restartPolicy === undefined && schedule === undefined);
  if (schedule !== undefined && always)
    report("InvalidValue", "/spec/restartPolicy", "expected OnFailure or Never beside a schedule, found Always", "a job ends; the schedule starts it again");
  else if (always)
    for (const field of ["activeDeadlineSeconds", "backoffLimit"] as const)
      if (spec[field] !== undefined) report("InvalidValue", `/spec/${field}`, "expected restartPolicy OnFailure or Never beside it: only a job has an end");
  if (timeZone !== undefined) take("/spec/timeZone", parseTimeZone(timeZone), timeZone);
  return {
    schedule: schedule === undefined ? undefined : take("/spec/schedule", parseSchedule(schedule, timeZone), undefined),
    concurrencyPolicy: spec.concurrencyPolicy ?? "Forbid",
    startingDeadlineSeconds: spec.startingDeadlineSeconds,
    suspend: spec.suspend ?? false,
    activeDeadlineSeconds,
    backoffLimit: spec.backoffLimit ?? (schedule === undefined ? undefined : 6),
    successfulHistory: spec.successfulJobsHistoryLimit ?? 3,
    failedHistory: spec.failedJobsHistoryLimit ?? 1,
  };
}

function logs({ logs = {} }: Spec, take: Take): Logs {
  if (typeof logs === "string") return { journald: true, directory: undefined, maxBytes: Number.POSITIVE_INFINITY, maxFiles: 1 };
  const { directory, maxSize = "10Mi", maxFiles = 5 } = logs;
  const size = take("/spec/logs/maxSize", parseBytes(maxSize), "max");
  return { journald: false, directory, maxBytes: size === "max" ? Number.POSITIVE_INFINITY : Number(size), maxFiles };
}

/** A word may be empty, but not that of the program. */
function checkPrograms({ command, initCommands = [], lifecycle, ...spec }: Spec, report: Report): void {
  if (!command && !spec.image) report("MissingField", "/spec", "expected the field command", "the program and its first arguments");
  const check = (pointer: string, words: readonly string[] | undefined): void => {
    if (words?.[0] === "") report("InvalidValue", `${pointer}/0`, 'expected the name or the path of a program, found ""');
  };
  check("/spec/command", command);
  for (const [index, init] of initCommands.entries()) check(`/spec/initCommands/${index}/command`, init.command);
  for (const which of ["startupProbe", "livenessProbe", "readinessProbe"] as const) check(`/spec/${which}/exec/command`, spec[which]?.exec?.command);
  for (const which of ["postStart", "preStop"] as const) check(`/spec/lifecycle/${which}/exec/command`, lifecycle?.[which]?.exec?.command);
}

/** Names that must differ from each other. */
function checkNames({ initCommands = [], dependsOn = [], rlimits = [] }: Spec, report: Report): void {
  const lists: readonly (readonly [field: string, key: string, what: string, names: readonly string[]])[] = [
    ["rlimits", "type", "limit", rlimits.map(({ type }) => type)],
    ["initCommands", "name", "name", initCommands.map(({ name }) => name)],
    ["dependsOn", "name", "name", dependsOn.map(({ name }) => name)],
  ];
  for (const [field, key, what, names] of lists)
    for (const [index, name] of names.entries())
      if (names.indexOf(name) < index) report("InvalidValue", `/spec/${field}/${index}/${key}`, `expected each ${what} once, found ${name} again`);
}
