/** `run --user`: a controller without any privilege, a monitor that keeps root and does what manifests make necessary, and nothing else. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseMounts } from "../../src/cgroup/hierarchy.ts";
import { engineDirectory } from "../../src/host/bundle.ts";
import { childrenOf } from "../../src/host/procfs.ts";
import { whyNotConfined, whyNotImages } from "../support/confined.ts";
import { makeRootfs } from "../support/image.ts";
import { end, Live, PATIENCE, sleep, takeAway, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

/** Everybody's Debian has it, and nobody has more to lose. */
const USER = "nobody";
const UID = 65_534;
const CALLS = Number(process.env["HOLDFAST_TEST_CALLS"] ?? 10_000);
const asRoot = whyNotLive === undefined && process.geteuid?.() === 0;

(asRoot ? describe : describe.skip)("run --user", () => {
  let live: Live;
  let others: ChildProcess[] = [];
  beforeEach(() => {
    live = new Live();
    // The user must find its way to the manifests.
    chmodSync(live.directory, 0o755);
  });
  afterEach(async () => {
    for (const child of others) if (child.exitCode === null && child.signalCode === null) await end(child, "SIGKILL");
    others = [];
    await live.close();
  });

  const started = (text: string | undefined, ...args: string[]): ReturnType<Live["started"]> => live.started(text, "--resync", "10m", "--user", USER, ...args);
  const statusOf = (pid: number): Record<string, string> =>
    Object.fromEntries(
      readFileSync(`/proc/${pid}/status`, "utf8")
        .split("\n")
        .map((line) => line.split(/:\s*/) as [string, string]),
    );
  const controllerOf = (monitor: ChildProcess): number =>
    childrenOf(monitor.pid ?? 0).find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--monitored")) ?? 0;
  const limit = (): string => live.read("pids", "batch", "pids.max");

  test("the controller has no privilege; limits, starts, ends, drift, edits and removals are as ever", async () => {
    const text = (pids: number, more = ""): string =>
      `${group("batch", `{limits: {pids.max: ${pids}}}`)}---\n${workload("web", `{limitGroupRef: {name: batch}, command: [sh, -c, 'echo hello; sleep 0.3; exit 7'], backoff: {initial: 100ms}}`)}${more}`;
    const { child, told } = await started(text(40));
    const pid = controllerOf(child);
    const status = statusOf(pid);
    expect(status["Uid"]?.split("\t")).toEqual(Array(4).fill(String(UID)));
    expect(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((set) => Number(status[set]))).toEqual([0, 0, 0, 0, 0]);
    expect(status["NoNewPrivs"]).toBe("1");
    expect(statusOf(child.pid ?? 0)["Uid"]?.startsWith("0")).toBe(true);
    // No terminal of root's, and nothing that leads to one.
    for (const descriptor of [1, 2]) expect(readlinkSync(`/proc/${pid}/fd/${descriptor}`)).toMatch(/^(pipe|socket):/);
    expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[4]).toBe("0");

    expect(limit()).toBe("40");
    await until("its exit code is told", () => told("Error").some((line) => line.includes("exit code 7")));
    await until("it is started again", () => told("Started").some((line) => line.includes("restart")));
    expect(live.log("web")).toContain("hello\n");
    expect(statSync(join(live.logDirectory, "web", "web.0.log")).uid).toBe(UID);

    live.behind("pids", "batch", "pids.max", "1000");
    await until("it is repaired", () => limit() === "40");
    await until("that is told", () => told("DriftRepaired").join().includes("pids.max was 1000"));
    live.write(text(50, `---\n${group("second", "{limits: {pids.max: 5}}")}`));
    await until("the edit is in force", () => limit() === "50" && live.read("pids", "second", "pids.max") === "5");
    live.write(group("second", "{limits: {pids.max: 5}}"));
    await until("what is not declared is gone", () => !existsSync(live.cgroup("pids", "batch")) && !existsSync(live.cgroup("", "batch")));
    expect(told("StartFailed", "Refused", "Failed")).toEqual([]);
  });

  (whyNotConfined === undefined ? test : test.skip)("confined workloads, init commands, hooks and probes", async () => {
    const spec = `{confined: true, user: nobody, securityContext: {allowPrivilegeEscalation: false}, command: [sh, -c, 'id -u; trap "echo ended; exit 0" TERM; while :; do sleep 0.1; done'],
      initCommands: [{name: one, command: [sh, -c, 'echo init']}],
      lifecycle: {postStart: {exec: {command: [sh, -c, 'echo hooked >>/proc/1/fd/1']}}, preStop: {exec: {command: [sh, -c, 'echo stopping >>/proc/1/fd/1']}}},
      readinessProbe: {exec: {command: [grep, -q, 'NoNewPrivs:.*1', /proc/self/status]}, periodSeconds: 1}}`;
    const { told } = await started(workload("boxed", spec));
    await until("it is ready", () => told("Ready").length > 0);
    live.write(group("other"));
    await until("it has stopped", () => !existsSync(live.cgroup("", "boxed@0")));
    await until("its log is whole", () => live.log("boxed").includes("ended"));
    expect(live.log("boxed")).toBe(`init\n${UID}\nhooked\nstopping\nended\n`);
    // Its bundle is nobody's but root's, and goes with it.
    expect(statSync(join(engineDirectory(live.runDirectory), "bundles")).uid).toBe(0);
  });

  (whyNotImages === undefined ? test : test.skip)("what only root can read and make: env files, images, the kernel's log", async () => {
    makeRootfs(join(live.directory, "root"), "one");
    const layout = join(live.directory, "layout");
    const digest = spawnSync(process.execPath, ["bin/holdfast.js", "image", "import", join(live.directory, "root"), layout], {
      encoding: "utf8",
    }).stdout.trim();
    chmodSync(layout, 0o700);
    const secrets = join(live.directory, "secrets.env");
    writeFileSync(secrets, "TOKEN=abc\n", { mode: 0o600 });
    const boxed = `{confined: true, image: {layout: ${layout}, digest: "${digest}"}, command: [sh, -c, 'cat /release; sleep 300'], terminationGracePeriodSeconds: 1}`;
    const denied = `{confined: true, securityContext: {seccompProfile: {type: RuntimeDefault, log: true}}, command: [sh, -c, 'while :; do unshare -U true; sleep 1; done']}`;
    const plain = `{envFrom: [{file: ${secrets}}], command: [sh, -c, 'echo "token $TOKEN"; sleep 300']}`;
    const { told } = await started(`${workload("boxed", boxed)}---\n${workload("denied", denied)}---\n${workload("plain", plain)}`);
    await until("the image runs", () => live.log("boxed") === "one\n");
    await until("the variable is there", () => live.log("plain") === "token abc\n");
    await until("the denied call is told", () => told("SeccompDenied").join().includes("unshare (272) was denied to"));
    // A change of the file is a new revision, on both sides.
    writeFileSync(secrets, "TOKEN=def\n");
    await until("it runs anew", () => live.log("plain").includes("token def\n"));
    expect(told("StartFailed")).toEqual([]);
    expect(statSync(live.images).uid).toBe(0);
    live.write(workload("plain", plain));
    await until("the image is gone", () => readdirSync(live.images).filter((name) => !name.startsWith(".")).length === 0, 20_000);
  });

  test("either process may be killed: the other one goes, what runs goes on, and is found again, by a controller of the other kind too", async () => {
    const text = workload("web", "{command: [sh, -c, 'trap \"exit 3\" TERM; while :; do sleep 0.05; done']}");
    const first = await started(text);
    const pid = live.pid("web");
    const gone = new Promise((resolve) => first.child.once("exit", resolve));
    process.kill(controllerOf(first.child), "SIGKILL");
    expect(await gone).toBe(1);
    expect(first.output()).toContain("ended with SIGKILL; what runs goes on");

    const second = await started(undefined);
    const unprivileged = controllerOf(second.child);
    await end(second.child, "SIGKILL");
    await until("the controller goes too", () => !existsSync(`/proc/${unprivileged}`));
    expect(live.pid("web")).toBe(pid);

    // Root alone does not go by what the user could have written; and says what to do.
    const { code, stderr } = live.holdfast("run");
    expect(code).toBe(1);
    const way = /cd \/.*$/.exec(stderr.trim())?.[0] ?? "false";
    expect(stderr).toContain("is shared with the user of run --user");
    expect(live.holdfast("apply").stderr).toContain("is shared with the user of run --user");
    expect(spawnSync("sh", ["-c", way], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
    const third = await live.started(undefined);
    expect(live.pid("web")).toBe(pid);
    await end(third.child, "SIGTERM");
    // What root has left is the user's.
    const { child, told } = await started(undefined);
    expect(live.pid("web")).toBe(pid);
    process.kill(pid, "SIGTERM");
    await until("its end is told", () => told("Error").some((line) => line.includes("exit code 3")));
    await until("it is started again", () => told("Started").length > 0);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });

  test("the run and the log directory are made again when somebody removes them, for what runs and for restarts", async () => {
    const { child, told, output } = await live.started(`${workload("web")}---\n${group("batch")}`, "--resync", "300ms", "--user", USER);
    const pid = live.pid("web");
    const isReady = (): boolean => live.holdfast("get", "workload", "web").stdout.includes("1/1");
    await until("it is ready", isReady);
    for (const directory of [live.runDirectory, live.logDirectory]) takeAway(directory);
    await until(
      "the directories are there",
      () => existsSync(join(live.runDirectory, "replicas", "web@0.json")) && existsSync(join(live.runDirectory, "restarts")),
    );
    await until("it is ready again", isReady);
    expect(live.pid("web")).toBe(pid);
    expect(live.holdfast("restart", "web")).toMatchObject({ code: 0, stderr: "" });
    await until("it is another one", () => told("Started").some((line) => line.includes("restart asked for")) && live.pid("web") !== pid);
    expect(statSync(join(live.logDirectory, "web", "web.0.log")).uid).toBe(UID);
    expect(output()).not.toContain("a pass failed");
    await end(child, "SIGTERM");
  });

  test("a signal before the controller is there ends it in order", async () => {
    live.write(group("batch"));
    const { child, output } = live.controller("--user", USER);
    await until("the monitor has its lock", () => readdirSync(live.cgroup("", "")).some((name) => name.startsWith(".controller")));
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(readdirSync(live.cgroup("", "")).filter((name) => name.startsWith(".controller"))).toEqual([]);
    expect(output()).not.toContain("Error");
  });

  test("the parser is nobody's: no process of the controller's user can touch it", async () => {
    await started(group("batch", "{limits: {pids.max: 40}}"));
    const seen: Record<string, string>[] = [];
    live.write(group("batch", "{limits: {pids.max: 41}}"));
    await until("the edit is in force", () => {
      for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
        const line = textOf(`/proc/${name}/cmdline`) ?? "";
        if (line.includes("parse-manifests") && !line.includes("setpriv")) seen.push(statusOf(Number(name)));
      }
      return limit() === "41";
    });
    expect(seen.length).toBeGreaterThan(0);
    for (const { Uid = "", Gid = "", CapEff, NoNewPrivs } of seen) {
      expect(new Set(Uid.split("\t")).size).toBe(1);
      for (const ids of [Uid, Gid]) expect([0, UID]).not.toContain(Number(ids.split("\t")[0]));
      expect([Number(CapEff), NoNewPrivs]).toEqual([0, "1"]);
    }
  });

  test("a manifest that the user could change is not followed; nor is one that breaks forgotten", async () => {
    const { output } = await started(group("batch", "{limits: {pids.max: 40}}"));
    writeFileSync(join(live.manifests, "evil.yaml"), workload("evil", "{command: [touch, /tmp/holdfast-evil]}"));
    chownSync(join(live.manifests, "evil.yaml"), UID, UID);
    await until("that is told", () => output().includes("evil.yaml is not followed: user nobody could change it"));
    await sleep(500);
    expect(existsSync(live.cgroup("", "evil@0"))).toBe(false);
    chownSync(join(live.manifests, "evil.yaml"), 0, 0);
    live.write(undefined, "evil.yaml");
    // The drift of what a broken manifest declared last is repaired, by a monitor that has never seen it whole.
    live.write("spec: [", "a.yaml");
    await live.stop();
    await started(undefined);
    live.behind("pids", "batch", "pids.max", "1000");
    await until("it is repaired", () => limit() === "40");
  });

  test("what it refuses to begin with", () => {
    live.write(group("batch"));
    const run = (...args: string[]): string => {
      const { code, stderr } = live.holdfast("run", ...args);
      expect(code).toBe(1);
      return stderr;
    };
    expect(run("--user", "root")).toContain("--user: expected another user than root");
    expect(run("--user", "nosuchuser")).toContain("--user: there is no user nosuchuser (useradd --system");
    expect(run("--user", USER, "--ephemeral")).toContain("use them without it");
    chownSync(live.manifests, UID, UID);
    expect(run("--user", USER)).toMatch(/--user: what .*manifests says is done with root's rights, and user nobody could change it: .*manifests belongs to it/);
    chownSync(live.manifests, 0, 0);
    mkdirSync(live.runDirectory);
    chownSync(live.runDirectory, UID, UID);
    expect(run("--user", USER)).toContain(`--user: ${live.runDirectory} must be root's, and user nobody could change it`);
    chownSync(live.runDirectory, 0, 0);
    mkdirSync(engineDirectory(live.runDirectory), { recursive: true });
    chownSync(engineDirectory(live.runDirectory), UID, UID);
    expect(run("--user", USER)).toContain(".engine must be root's, and user nobody could change it");
  });

  test(
    `${CALLS} hostile calls change nothing`,
    async () => {
      const text = `${group("grp", "{limits: {pids.max: 40, memory.max: 64Mi}}")}---\n${workload("web", "{limitGroupRef: {name: grp}, command: [sleep, '1000'], livenessProbe: {exec: {command: [/bin/true]}, periodSeconds: 3600}}")}`;
      const { child } = await started(text);
      const pid = live.pid("web");
      await end(child, "SIGTERM");

      // A process and a cgroup of somebody else's, and a file of root's.
      const canary = spawn("sleep", ["1000"], { stdio: "ignore" });
      others.push(canary);
      const elsewhere = new Live();
      try {
        await elsewhere.apply(`${group("theirs", "{limits: {pids.max: 7}}")}---\n${workload("other", "{command: [sleep, '1000']}")}`);
        const secret = join(live.directory, "secret");
        writeFileSync(secret, "untouched", { mode: 0o600 });
        // Where the user's own directories lead.
        symlinkSync(secret, join(live.runDirectory, "link"));
        const mounts = parseMounts(readFileSync("/proc/self/mountinfo", "utf8")).map(({ mount }) => mount);
        const otherPid = elsewhere.pid("other");
        const targets = {
          calls: CALLS,
          seed: 4,
          pids: [canary.pid, otherPid, process.pid],
          cgroups: mounts,
          root: live.root,
          declared: ["grp", "grp/web@0", `../${elsewhere.root}/theirs`, `../${elsewhere.root}/other@0`],
          files: [
            secret,
            "/proc/sys/kernel/core_pattern",
            "/etc/passwd",
            join(live.runDirectory, "link"),
            join(engineDirectory(live.runDirectory), "monitor", "declared.json"),
          ],
          controller: [["facts"], ["write", join(live.cgroup("pids", "grp"), "pids.max"), "40"], ["giveLog", "web"]],
        };
        const attack = (what: typeof targets) => {
          writeFileSync(join(live.directory, "targets.json"), JSON.stringify(what));
          const { status, stderr } = spawnSync(process.execPath, ["test/support/hostile.js", "run", "--user", USER, "--log-format", "json", ...live.options], {
            encoding: "utf8",
            timeout: 240_000 * PATIENCE,
          });
          expect(stderr).not.toContain("Error");
          expect(status).toBe(0);
          return JSON.parse(readFileSync(join(live.runDirectory, "attack.json"), "utf8"));
        };
        const world = (): unknown => ({
          secret: readFileSync(secret, "utf8"),
          passwd: readFileSync("/etc/passwd", "utf8"),
          pattern: readFileSync("/proc/sys/kernel/core_pattern", "utf8"),
          mine: [live.read("pids", "grp", "pids.max"), live.procs("", "grp/web@0"), live.pid("web")],
          theirs: [elsewhere.read("pids", "theirs", "pids.max"), elsewhere.procs("", "other@0"), elsewhere.pid("other")],
          alive: [canary.exitCode, canary.signalCode, existsSync(`/proc/${otherPid}`)],
          tops: mounts.map((mount) =>
            ["cgroup.procs", "release_agent", "notify_on_release", "cgroup.subtree_control"].map((name) =>
              name === "cgroup.procs" ? existsSync(join(mount, name)) : textOf(join(mount, name)),
            ),
          ),
        });
        const before = world();
        const { refused, accepted, honest, uid } = attack(targets);
        expect(uid).toBe(UID);
        expect(accepted).toEqual([]);
        expect(refused).toBe(CALLS);
        expect(honest.map((reply: { error?: unknown }) => reply.error)).toEqual([undefined, undefined, undefined]);
        expect(world()).toEqual(before);
        expect(live.pid("web")).toBe(pid);
        expect(existsSync("/tmp/holdfast-evil")).toBe(false);

        // What it may do to a declared workload: end it, and start it once.
        const now = new Date().toISOString();
        const start = (attempt: string) => ["start", attempt, "web@0", "$REVISION", now];
        const second = attack({
          ...targets,
          calls: 0,
          controller: [
            ["signal", "$ATTEMPT", "$MAIN", "SIGKILL"],
            ["sleep", "1000"],
            start("$ATTEMPT"),
            start("web@0@again1"),
            start("web@0@again2"),
            ["sleep", "1000"],
            start("web@0@again3"),
          ],
        });
        const errors = second.honest.map((reply: { error?: { message: string } }) => reply.error?.message);
        expect(errors).toEqual([
          undefined,
          undefined,
          expect.stringContaining("runs already"),
          undefined,
          expect.stringMatching(/being started|runs already/),
          undefined,
          expect.stringContaining("runs already"),
        ]);
        expect(live.procs("", "grp/web@0").length).toBe(1);
      } finally {
        await elsewhere.close();
      }
    },
    180_000 * PATIENCE,
  );
});

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
