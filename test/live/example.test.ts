/** The example of a small installation, as it stands in manifests/: started, looked at, asked, taken down. */
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, until, whyNotLive } from "../support/live.ts";

(whyNotLive === undefined ? describe : describe.skip)("manifests/demo/services.yaml", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  test("serves when it is ready, works when that serves, and reports when asked", async () => {
    copyFileSync("manifests/demo/services.yaml", join(live.manifests, "services.yaml"));
    const { child, lines } = live.controller("--ephemeral");
    const told = (reason: string, object: string): boolean => lines().some((line) => line["reason"] === reason && line["object"] === `Workload/${object}`);
    const status = (name: string) => live.view(name).status;
    await until("the web server is ready", () => told("Ready", "web"), 60_000);
    expect(told("Unhealthy", "web")).toBe(true);
    const order = lines().flatMap(({ reason, object }) => (reason === "Ready" || reason === "Started" ? [`${reason} ${object}`] : []));
    await until("the workers run", () => status("worker").readyReplicas === 2);
    expect(order.indexOf("Started Workload/worker")).toBe(-1);
    expect(await (await fetch("http://127.0.0.1:18080/")).text()).toBe("hello\n");
    expect(status("nightly-report")).toMatchObject({
      nextScheduleTime: expect.stringMatching(/T\d\d:17:00/),
      conditions: [{ type: "Ready", status: "True", reason: "Scheduled" }],
    });
    live.holdfast("restart", "nightly-report");
    await until("the report is done", () => told("JobComplete", "nightly-report"), 20_000);
    expect(live.log("nightly-report")).toContain("report done");
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    await gone;
    const ends = lines().flatMap(({ reason, object }) => (reason === "Stopped" ? [object] : []));
    expect(ends).toEqual(["Workload/worker", "Workload/worker", "Workload/web"]);
    expect(existsSync(live.cgroup(""))).toBe(false);
  }, 120_000);
});
