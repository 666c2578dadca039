/** A controller without any privilege: a user, and a cgroup v2 subtree that root delegated to it (the guest). */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseMounts } from "../../src/cgroup/hierarchy.ts";
import { end, PATIENCE, sleep, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

const mounts = parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
const pure = mounts.length === 1 && mounts[0]?.version === 2;
const USER = 1000;

(whyNotLive === undefined && pure ? describe : describe.skip)("without root", () => {
  const root = `holdfast-test-${process.pid}-rootless`;
  const top = join(mounts[0]?.mount ?? "", root);
  let directory: string;
  let controllers: ChildProcess[] = [];
  let output = "";

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "holdfast-rootless-"));
    chmodSync(directory, 0o755);
    for (const name of ["manifests", "run", "log", "images"]) {
      mkdirSync(join(directory, name));
      chownSync(join(directory, name), USER, USER);
    }
    // What root does once, as systemd does for Delegate=yes: the directory and the files to place processes, no limits.
    for (const path of [top, join(top, "daemon")]) {
      mkdirSync(path);
      for (const file of ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]) chownSync(join(path, file), USER, USER);
    }
    writeFileSync(join(top, "cgroup.subtree_control"), "+cpu +memory +pids");
    output = "";
  });
  afterEach(async () => {
    for (const child of controllers) if (child.exitCode === null && child.signalCode === null) await end(child, "SIGKILL");
    controllers = [];
    if (existsSync(join(top, "cgroup.kill"))) writeFileSync(join(top, "cgroup.kill"), "1");
    for (let round = 0; round < 200 && existsSync(top); round++) {
      removeTree(top);
      await sleep(20);
    }
    rmSync(directory, { recursive: true, force: true });
  });

  const places = (): string[] => [
    "-f",
    join(directory, "manifests"),
    "--root",
    `${root}/tree`,
    "--run-dir",
    join(directory, "run"),
    "--log-dir",
    join(directory, "log"),
  ];
  const asUser = (words: readonly string[]): string[] => [
    "-c",
    `echo $$ >${top}/daemon/cgroup.procs && exec setpriv --reuid=${USER} --regid=${USER} --clear-groups --bounding-set=-all -- "$@"`,
    "sh",
    process.execPath,
    "bin/holdfast.js",
    ...words,
  ];
  const controller = async (): Promise<ChildProcess> => {
    const child = spawn("sh", asUser(["run", "--resync", "1s", "--log-format", "json", "--image-dir", join(directory, "images"), ...places()]), {
      stdio: ["ignore", "pipe", "pipe"],
    });
    controllers.push(child);
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await until(`it watches ${output}`, () => output.includes("in force"), 60_000).catch((error) => {
      throw new Error(`${error}\n${output}`);
    });
    return child;
  };
  const write = (text: string): void => writeFileSync(join(directory, "manifests", "a.yaml"), text);
  const tree = (path: string): string => join(top, "tree", path);
  const pidIn = (path: string): number => Number(readFileSync(tree(`${path}/cgroup.procs`), "utf8").split("\n")[0]);
  const statusOf = (name: string): string =>
    JSON.stringify(
      (JSON.parse(readFileSync(join(directory, "run", "status.json"), "utf8")) as { objects: [string, unknown][] }).objects.find(
        ([key]) => key === `Workload/${name}`,
      ),
    );
  const told = (reason: string): string[] => output.split("\n").filter((line) => line.includes(`"${reason}"`));

  test(
    "limits, places, restarts, repairs and adopts, as that user and nobody else",
    async () => {
      const mapping = `[{containerID: 0, hostID: ${USER}, size: 1}]`;
      const limited = group("g", "{limits: {memory.max: 100Mi, pids.max: 50, cpu.max: 50%}}");
      const others = [
        workload("job", "{command: [sh, -c, 'exit 7'], restartPolicy: Never}"),
        workload("other", "{command: [sleep, '600'], user: root}"),
        workload("c", `{command: [sh, -c, 'id -u; exec sleep 600'], confined: true, namespaces: {user: {uidMappings: ${mapping}}}}`),
        workload("image", `{confined: true, image: {layout: /x, digest: "sha256:${"0".repeat(64)}"}}`),
      ];
      const w = workload("w", "{limitGroupRef: {name: g}, command: [sleep, '600'], limits: {pids.max: 20}, backoff: {initial: 0s, max: 0s}}");
      write([limited, w, ...others].join("---\n"));
      const first = await controller();
      const pid = await until("it runs", () => pidIn("g/w@0"), 30_000);
      expect(/^Uid:\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]).toBe(String(USER));
      expect(/^CapBnd:\s+(\S+)/m.exec(readFileSync(`/proc/${first.pid}/status`, "utf8"))?.[1]).toBe("0000000000000000");
      expect(readFileSync(tree("g/memory.max"), "utf8").trim()).toBe(String(100 * 2 ** 20));
      expect(readFileSync(tree("g/w@0/pids.max"), "utf8").trim()).toBe("20");
      await until("the job has ended", () => told("Error").some((line) => line.includes("exit code 7")), 30_000);
      // Somebody else's user is refused, and told; a confined one has a user namespace.
      await until("the other is told", () => statusOf("other").includes("the controller runs as user 1000"), 30_000);
      await until("the confined one runs", () => readFileSync(join(directory, "log", "c", "c.0.log"), "utf8").endsWith("\n0\n"), 30_000);
      expect(statusOf("image")).toContain("ConfinementUnavailable");
      writeFileSync(tree("g/pids.max"), "7");
      await until("drift is repaired", () => readFileSync(tree("g/pids.max"), "utf8").trim() === "50", 20_000);
      process.kill(pid, "SIGKILL");
      const next = await until("it runs again", () => pidIn("g/w@0") !== pid && pidIn("g/w@0"), 30_000);
      await end(first, "SIGKILL");
      output = "";
      await controller();
      await sleep(1500);
      expect(pidIn("g/w@0")).toBe(next);
      // Its own roof is not its to lift.
      expect(spawnSync("setpriv", [`--reuid=${USER}`, `--regid=${USER}`, "--clear-groups", "sh", "-c", `echo max >${top}/memory.max`]).status).not.toBe(0);
      write([limited, ...others].join("---\n"));
      await until("it is gone", () => !existsSync(tree("g/w@0")), 60_000);
    },
    60_000 * PATIENCE,
  );
});

function removeTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch {
    // once more, when what was in it has gone
  }
}
