/** Confined workloads where only runc is installed: the controller sees a file in crun's place that it cannot execute. */
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseMounts } from "../../src/cgroup/hierarchy.ts";
import { whyNotConfined } from "../support/confined.ts";
import { end, Live, until } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";
import { onPath } from "../support/programs.ts";

const [crun = "", runc = ""] = [onPath("crun"), onPath("runc")];
const required = process.env["HOLDFAST_TEST_CONFINED"] !== undefined;
const mounts = parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));

(whyNotConfined === undefined && process.geteuid?.() === 0 && (runc !== "" || required) ? describe : describe.skip)("runc", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
    chmodSync(live.directory, 0o755);
    live.through = ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"', crun || "/dev/null"];
  });
  afterEach(() => live.close());

  const inside = (pid: number): Record<string, string> =>
    Object.fromEntries(
      readFileSync(`/proc/${pid}/status`, "utf8")
        .split("\n")
        .map((line) => line.split(/:\s*/) as [string, string]),
    );
  /** Directories of this root in every hierarchy that is mounted. */
  const cgroups = (): string[] =>
    mounts.flatMap(({ mount }) => {
      const top = join(mount, live.root);
      return existsSync(top) ? readdirSync(top, { recursive: true, encoding: "utf8" }).filter((name) => name.split("/").at(-1)?.includes("+")) : [];
    });
  const topsBefore = mounts.map(({ mount }) => textOf(join(mount, "cgroup.subtree_control")));

  test("confines, tells exit codes and why nothing began, runs init commands and probes inside, and leaves no cgroup behind", async () => {
    const spec = `{confined: true, user: nobody, limits: {pids.max: 20}, securityContext: {allowPrivilegeEscalation: false}, backoff: {initial: 100ms},
      initCommands: [{name: one, command: [sh, -c, 'echo init']}],
      readinessProbe: {exec: {command: [grep, -q, 'Seccomp:.*2', /proc/self/status]}, periodSeconds: 1},
      command: [sh, -c, 'id -u; ls /proc | grep -c "^[0-9]"; cat /dev/kmsg; unshare -U true; while [ ! -e /srv/go ]; do sleep 0.1; done; exit 9'],
      volumes: [{hostPath: ${live.directory}, mountPath: /srv, readOnly: true}]}`;
    const { told } = await live.started(workload("boxed", spec));
    await until("it is ready", () => told("Ready").length > 0);
    const status = inside(live.pid("boxed"));
    expect([status["Seccomp"], status["NoNewPrivs"], Number(`0x${status["CapEff"]}`), status["NSpid"]?.split("\t").at(-1)]).toEqual(["2", "1", 0, "1"]);
    expect(readFileSync(`/proc/${live.pid("boxed")}/cgroup`, "utf8")).toContain(`/${live.root}/boxed@0/`);
    live.write("x", "../go");
    await until("its exit code is told", () => told("Error").some((line) => line.includes("exit code 9")));
    await until("it is started again", () => told("Started").some((line) => line.includes("restart")));
    expect(live.log("boxed")).toContain("init\n65534\n");
    expect(live.log("boxed")).toMatch(/cat: \/dev\/kmsg: (No such file|Operation not permitted)/);
    expect(live.log("boxed")).toContain("unshare: unshare failed: Operation not permitted");
    await until("the first one's cgroups are gone", () => new Set(cgroups().map((name) => name.split("/").at(-1))).size === 1);
    live.write(`${group("other")}---\n${workload("bad", "{confined: true, command: [nosuchprogram]}")}`);
    await until("why nothing began is told", () => told("StartError", "Error").some((line) => /bad@0.*executable file not found/.test(line)));
    await until("all of it is gone", () => !existsSync(live.cgroup("", "boxed@0")));
    await until(
      "in every hierarchy",
      () =>
        cgroups()
          .filter((name) => name.includes("boxed"))
          .join() === "",
    );
    expect(mounts.map(({ mount }) => textOf(join(mount, "cgroup.subtree_control")))).toEqual(topsBefore);
  });

  test("devices are denied but for those that are declared; a limit is changed live, frozen is frozen, a kill for want of memory is one", async () => {
    const script = "mknod /dev/mine c 1 3; echo x >/dev/mine && echo null; mknod /dev/disk b 8 0; cat /dev/disk >/dev/null || echo denied; sleep 300";
    const spec = (pids: number, frozen = false): string =>
      `${group("g", `{frozen: ${frozen}}`)}---\n${workload("boxed", `{limitGroupRef: {name: g}, confined: true, limits: {pids.max: ${pids}, memory.max: 32Mi}, command: [sh, -c, '${script}']}`)}`;
    const { told } = await live.started(spec(20));
    await until("it has tried", () => live.log("boxed").includes("denied"));
    expect(live.log("boxed")).toContain("null\n");
    const pid = live.pid("boxed");
    live.write(spec(30));
    await until("the limit is another one", () => live.read("pids", "g/boxed@0", "pids.max") === "30");
    live.write(spec(30, true));
    await until("it is frozen", () => told("Configured").join().includes("frozen"));
    live.write(spec(30));
    await until("it is thawed", () => told("Configured").filter((line) => line.includes("frozen")).length > 1);
    expect(live.pid("boxed")).toBe(pid);
    live.write(workload("hog", "{confined: true, limits: {memory.max: 16Mi, memory.swap.max: 0}, restartPolicy: Never, command: [tail, /dev/zero]}"));
    await until("its kill is told", () => told("OOMKilled").length > 0 || told().some((line) => line.includes("OOMKilled")), 20_000);
  });

  test("what runs outlives its controller, and another one knows how it ended", async () => {
    const text = workload(
      "boxed",
      `{confined: true, restartPolicy: Never, command: [sh, -c, 'while [ ! -e /srv/go ]; do sleep 0.1; done; exit 5'], volumes: [{hostPath: ${live.directory}, mountPath: /srv}]}`,
    );
    const first = await live.started(text);
    const pid = await until("it runs", () => live.pid("boxed"));
    await end(first.child, "SIGKILL");
    expect(inside(pid)["State"]).toMatch(/^S/);
    live.write("x", "../go");
    await until("it has ended", () => inside(pid)["State"]?.startsWith("Z"));
    const { told } = await live.started(undefined);
    await until("its exit code is told", () => told("Error").some((line) => line.includes("exit code 5")));
  });

  test("what runc cannot do is told, and not done in another way", async () => {
    const { told } = await live.started(
      workload("w", "{confined: true, securityContext: {seccompProfile: {type: RuntimeDefault, log: true}}, command: [sleep, '9']}"),
    );
    await until("it is told", () => told("ConfinementUnavailable").length > 0);
    expect(told("ConfinementUnavailable").join()).toContain("telling denied calls takes crun, and only runc is installed here (install crun");
    expect(told("Started")).toEqual([]);
  });
});

function textOf(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
