/** Schedules, limits of restarts, and exit codes, under a controller of its own. The clock is the machine's: minutes are minutes. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { requestRestart } from "../../src/host/requests.ts";
import { end, Live, PATIENCE, sleep, until, whyNotLive } from "../support/live.ts";
import { workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("jobs", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());
  const status = (name = "w") => live.view(name).status;
  const state = () => status().replicaStatuses?.[0]?.state;

  test("run when they are due, and what was due while no controller ran begins late", async () => {
    const spec = (more = ""): string => workload("w", `{command: [sh, -c, 'echo ran; exit 0'], schedule: "* * * * *"${more}}`);
    const { child } = await live.started(spec());
    expect(state()?.waiting).toMatchObject({ reason: "Scheduled" });
    expect(status().conditions[0]).toMatchObject({ type: "Ready", status: "True", reason: "Scheduled" });
    const next = Date.parse(status().nextScheduleTime ?? "");
    expect(next - Date.now()).toBeLessThanOrEqual(60_000);
    // The controller is away at the due time.
    await end(child, "SIGKILL");
    await sleep(Math.max(0, next - Date.now()) + 500);
    expect(() => live.log("w")).toThrow();
    const { told } = await live.started(spec());
    await until("it ran", () => live.log("w") === "ran\n");
    await until("it is complete", () => told().some((line) => line.startsWith(`JobComplete: w@0: the run of ${new Date(next).toISOString()}`)));
    expect(status().history).toMatchObject([{ succeeded: true, scheduledTime: new Date(next).toISOString(), exitCode: 0 }]);
  }, 120_000);

  test("that somebody asks for run at once; a failed one is tried again, then has failed", async () => {
    const { told } = await live.started(
      workload("w", `{command: [sh, -c, 'exit 3'], schedule: "0 0 1 1 *", backoffLimit: 2, backoff: {initial: 100ms, max: 100ms}}`),
    );
    live.holdfast("restart", "w");
    await until("it has failed", () => told().some((line) => /JobFailed: .*BackoffLimitExceeded after 2 retries/.test(line)), 15_000);
    expect(told().filter((line) => line.startsWith("Error: w@0 ended: Error (exit code 3)"))).toHaveLength(3);
    await until("the status tells", () => status().conditions[0]?.reason === "JobFailed");
    expect(status()).toMatchObject({ history: [{ succeeded: false, reason: "BackoffLimitExceeded", exitCode: 3, retries: 2 }] });
  });

  test("run once for each time, also when the controller is killed in the moment of their launch", async () => {
    const runs = join(live.directory, "runs");
    const text = workload("w", `{command: [sh, -c, 'echo ran >>${runs}; sleep 1; exit 7'], schedule: "0 0 1 1 *", backoffLimit: 0}`);
    for (let round = 1; round <= 3; round++) {
      const first = await live.started(text);
      requestRestart(live.runDirectory, "w", Date.now());
      // Without a pause: the controller sleeps for a millisecond until the launch is done, and must not get to know that.
      for (const deadline = Date.now() + 5000 * PATIENCE; live.procs("", "w@0").length === 0; )
        if (Date.now() > deadline) throw new Error("nothing was launched");
      await end(first.child, "SIGKILL");
      const second = await live.started(undefined);
      await until("it has failed", () => second.told("JobFailed").length > 0, 15_000);
      await end(second.child, "SIGTERM");
      expect({ round, runs: readFileSync(runs, "utf8") }).toEqual({ round, runs: "ran\n".repeat(round) });
    }
    expect(status().history).toMatchObject([{ reason: "BackoffLimitExceeded", exitCode: 7, retries: 0 }]);
  }, 120_000);

  test("end at their deadline", async () => {
    const { told } = await live.started(
      workload("w", "{command: [sleep, '300'], restartPolicy: OnFailure, activeDeadlineSeconds: 1, terminationGracePeriodSeconds: 1}"),
    );
    await until("it is ended", () => told().some((line) => line.startsWith("DeadlineExceeded: w@0 ended: DeadlineExceeded (it took longer")), 15_000);
    await until("and stays so", () => state()?.waiting?.reason === "DeadlineExceeded");
  });

  test("are started again as exit codes say", async () => {
    const count = join(live.directory, "count");
    writeFileSync(count, "");
    const rules = "[{action: Restart, exitCodes: {operator: In, values: [42]}}]";
    await live.started(
      workload(
        "w",
        `{command: [sh, -c, 'echo x >>${count}; test $(wc -l <${count}) -ge 3 && exit 5; exit 42'], restartPolicy: Never, restartPolicyRules: ${rules}, backoff: {initial: 10ms}}`,
      ),
    );
    await until("another code ends it", () => state()?.terminated?.exitCode === 5);
    expect(readFileSync(count, "utf8")).toBe("x\nx\nx\n");
    expect(status().restartCount).toBe(2);
  });

  test("are not restarted more often than maxRestarts, until somebody asks", async () => {
    // As long as three restarts take for certain.
    const window = 2 * PATIENCE;
    const { told } = await live.started(
      workload("w", `{command: [sh, -c, 'exit 1'], maxRestarts: {count: 3, window: ${window}s}, backoff: {initial: 10ms, max: 10ms}}`),
    );
    await until("it stays down", () => state()?.waiting?.reason === "RestartLimitExceeded");
    await until("it is told", () => told("RestartLimitExceeded").some((line) => line.includes(`w@0: 3 restarts in ${window}s`)));
    // Also when its window has passed.
    await sleep((window + 1) * 1000);
    expect(status().restartCount).toBe(3);
    expect(told("RestartLimitExceeded")).toHaveLength(1);
    live.write(workload("w", `{command: [sleep, '300'], maxRestarts: {count: 3, window: ${window}s}}`));
    await until("a new revision starts", () => state()?.running, 15_000);
  });
});
