import { describe, expect, test } from "@jest/globals";
import type { WorkloadResource } from "../../src/api/resource.ts";
import { manifestsOf, problemsOf, workload } from "../support/manifests.ts";

const run = (spec: string) => (manifestsOf({ "a.yaml": workload("w", `{command: [x], ${spec}}`) }).resources.get("Workload/w") as WorkloadResource).run;
const problems = (spec: string): string => problemsOf(workload("w", `{command: [x], ${spec}}`)).join("\n");

describe("defaults", () => {
  test("are those of a container", () =>
    expect(run("livenessProbe: {tcpSocket: {port: 80}}").probes.liveness).toEqual({
      handler: { tcpSocket: { host: "127.0.0.1", port: 80 } },
      initialDelaySeconds: 0,
      periodSeconds: 10,
      timeoutSeconds: 1,
      successThreshold: 1,
      failureThreshold: 3,
      gracePeriodSeconds: undefined,
    }));
  test("of a schedule are those of a CronJob", () => {
    expect(run('schedule: "@daily"')).toMatchObject({
      restartPolicy: "OnFailure",
      job: { concurrencyPolicy: "Forbid", backoffLimit: 6, suspend: false, successfulHistory: 3, failedHistory: 1 },
    });
    expect(run("args: [y]")).toMatchObject({
      argv: ["x", "y"],
      restartPolicy: "Always",
      killMode: "Mixed",
      job: { schedule: undefined, backoffLimit: undefined },
      identity: {},
    });
  });
  test("of a percentage are rounded down, and at least one", () => {
    expect(run("replicas: 10, strategy: {maxUnavailable: 25%}").strategy.maxUnavailable).toBe(2);
    expect(run("replicas: 3, strategy: {maxUnavailable: 10%}").strategy.maxUnavailable).toBe(1);
  });
  test("of an rlimit: the hard one is the soft one", () =>
    expect(run("rlimits: [{type: RLIMIT_CORE, soft: 0}]").identity.rlimits).toEqual([{ type: "RLIMIT_CORE", soft: "0", hard: "0" }]));
  test("of a back-off give way to what is written", () => expect(run("backoff: {max: 5s}").backoff).toMatchObject({ initial: 5000, max: 5000 }));
  test("of logs", () =>
    expect([run("logs: journald").logs.journald, run("logs: {maxSize: 1Mi}").logs]).toEqual([
      true,
      { journald: false, directory: undefined, maxBytes: 2 ** 20, maxFiles: 5 },
    ]));
});

test.each(["backoff: {max: x}", "backoff: {initial: x}", "maxRestarts: {count: 3, window: x}"])("%s is told of once", (spec) =>
  expect(problems(spec).split("\n")).toHaveLength(1),
);

test.each([
  ["livenessProbe: {}", /livenessProbe: expected one of exec, httpGet and tcpSocket, found none/],
  ["livenessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}}", /found 2/],
  ["livenessProbe: {exec: {command: [a]}, successThreshold: 2}", /successThreshold: expected 1/],
  ["readinessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: 2}", /a readiness probe stops nothing/],
  ["livenessProbe: {tcpSocket: {port: 70000}}", /at most 65535/],
  ["livenessProbe: {httpGet: {port: 80, path: x}}", /expected a path that begins with .*, found x/],
  ["livenessProbe: {httpGet: {port: 80, path: /a b}}", /path: expected a path that begins with .*%20 for a blank\), found \/a b/],
  ["livenessProbe: {httpGet: {port: 80, path: /ü}}", /percent-encoded/],
  ["livenessProbe: {httpGet: {port: 80, httpHeaders: [{name: a, value: '€'}]}}", /value: expected the value of an HTTP header/],
  ['livenessProbe: {httpGet: {port: 80, httpHeaders: [{name: a, value: "a\\nb"}]}}', /value: expected the value of an HTTP header/],
  ["livenessProbe: {httpGet: {port: 80, host: a b}}", /host: expected a host name or an address/],
  ["livenessProbe: {tcpSocket: {port: 80, host: '[::1]'}}", /host: expected a host name or an address/],
  ["livenessProbe: {exec: {command: ['', a]}}", /livenessProbe\/exec\/command\/0: expected the name or the path of a program, found ""/],
  ["lifecycle: {postStart: {exec: {command: ['']}}}", /command\/0: expected the name or the path/],
  ["initCommands: [{name: a, command: ['']}]", /command\/0: expected the name or the path/],
  ["rlimits: [{type: RLIMIT_CORE, soft: 99999999999999999999}]", /at most 9007199254740991/],
  ["rlimits: [{type: RLIMIT_CORE, soft: '99999999999999999999'}]", /expected a number, or unlimited/],
  ["rlimits: [{type: RLIMIT_CORE, soft: 1}, {type: RLIMIT_CORE, soft: 2}]", /rlimits\/1\/type: expected each limit once, found RLIMIT_CORE again/],
  ["rlimits: [{type: RLIMIT_CORE, soft: 9223372036854775807}]", /write a larger number in quotes/],
  ["strategy: {minReadySeconds: 700}", /minReadySeconds: expected progressDeadlineSeconds \(600\) to be greater than minReadySeconds \(700\)/],
  ["strategy: {minReadySeconds: 5, progressDeadlineSeconds: 5}", /progressDeadlineSeconds: expected progressDeadlineSeconds \(5\) to be greater/],
  ["backoff: {initial: 10m}", /expected at most the longest pause \(max: 5m\), found 10m/],
  ["maxRestarts: {count: 3, window: 0s}", /expected a time longer than none, found 0s \(without a window all restarts count\)/],
  ["lifecycle: {preStop: {exec: {command: [a]}, sleep: {seconds: 1}}}", /expected one of exec, httpGet, tcpSocket, sleep; found exec, sleep/],
  ["lifecycle: {preStop: {}}", /expected one of exec, httpGet, tcpSocket, sleep; found none/],
  ["schedulingPolicy: {policy: SCHED_FIFO}", /expected a priority for SCHED_FIFO \(from 1 to 99\)/],
  ["schedulingPolicy: {policy: SCHED_BATCH, priority: 5}", /expected no priority: SCHED_BATCH has none/],
  ["ioPriority: {class: IOPRIO_CLASS_IDLE, priority: 3}", /IOPRIO_CLASS_IDLE has none/],
  ["ioPriority: {class: IOPRIO_CLASS_IDEL}", /did you mean IOPRIO_CLASS_IDLE\?/],
  ["rlimits: [{type: RLIMIT_NPROC, soft: 5}]", /counts all processes of the user on the whole host.*pids\.max/],
  ["rlimits: [{type: RLIMIT_NOFILE, soft: unlimited, hard: 5}]", /expected at most the hard limit \(5\), found unlimited/],
  ["umask: 27", /expected text, found the number 27/],
  ["umask: '0999'", /expected a umask in octal/],
  ["cpuAffinity: 3-1", /write 1-3/],
  ["user: 'a b'", /expected the name or number of a user or group, found a b/],
  ["nice: 20", /at most 19/],
  ["timeZone: Europe/Berlin", /expected a schedule beside it/],
  ["suspend: true", /expected a schedule beside it/],
  ['schedule: "@daily", timeZone: Mars/Olympus', /IANA database/],
  ['schedule: "0 0 30 2 *"', /a time that ever comes/],
  ['schedule: "@daily", restartPolicy: Always', /expected OnFailure or Never beside a schedule/],
  ["backoffLimit: 3", /only a job has an end/],
  ["activeDeadlineSeconds: 3", /only a job has an end/],
  ["maxRestarts: {count: 3, window: 5}", /expected text/],
  ["maxRestarts: {count: 3, window: x}", /expected a duration/],
  ["strategy: {maxUnavailable: 0%}", /expected/],
  ["strategy: {maxUnavailable: 0}", /at least 1/],
  ["initCommands: [{name: a, command: [x]}, {name: a, command: [y]}]", /expected each name once, found a again/],
  ["dependsOn: [{name: w}]", /ReferenceCycle.*w → w/],
  ["logs: jornald", /expected journald, or a mapping.*found jornald/],
  ["restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [256]}}]", /at most 255/],
])("%s is refused", (spec, expected) => expect(problems(spec)).toMatch(expected));
