/** The examples of docs/docker.md, each started as it stands and looked at from inside. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { whyNotConfined } from "../support/confined.ts";
import { Live, sleep, until } from "../support/live.ts";

const EXAMPLES = "manifests/examples";

(whyNotConfined === undefined ? describe : describe.skip)("docs/docker.md", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());
  const text = (name: string): string => readFileSync(join(EXAMPLES, `${name}.yaml`), "utf8");
  const started = async (name: string, written = text(name)): Promise<number> => {
    await live.apply(written);
    await live.settle("it runs", () => live.pid(name));
    return live.pid(name);
  };
  const ended = async (name: string, written = text(name)) => {
    await live.apply(written);
    return await live.settle("it has ended", () => live.view(name).status.replicaStatuses?.[0]?.state.terminated, 40_000);
  };
  const status = (pid: number, field: string): string => new RegExp(`^${field}:\\s+(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";

  const looks: Readonly<Record<string, () => Promise<void>>> = {
    "cpu-quota": async () => {
      await started("cpu-quota");
      const file = live.version("cpu") === 1 ? "cpuacct" : "cpu";
      const used = (): number =>
        file === "cpu"
          ? Number(/usage_usec (\d+)/.exec(live.read("cpu", "cpu-quota@0", "cpu.stat"))?.[1]) / 1e6
          : Number(
              readFileSync(`/proc/${live.pid("cpu-quota")}/stat`, "utf8")
                .split(") ")[1]
                ?.split(" ")[11],
            ) / 100;
      await sleep(500);
      const pid = live.procs("", "cpu-quota@0").at(-1) ?? 0;
      const ticks = (): number => {
        const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
        return (Number(fields[11]) + Number(fields[12])) / 100;
      };
      const measure = file === "cpu" ? used : ticks;
      const before = measure();
      const since = Date.now();
      await sleep(4000);
      const share = (measure() - before) / ((Date.now() - since) / 1000);
      expect(share).toBeGreaterThan(0.1);
      expect(share).toBeLessThan(0.27);
    },
    memory: async () => {
      expect(await ended("memory")).toMatchObject({ reason: "OOMKilled", signal: "SIGKILL" });
    },
    "device-write-bps": async () => {
      const disk = process.env["HOLDFAST_TEST_DISK"];
      // A guest has its own disk for that, without a file system on it.
      const written =
        disk === undefined
          ? text("device-write-bps")
          : text("device-write-bps").replace("path:/var/tmp", disk).replaceAll("/var/tmp/holdfast-example", disk).replace(`; rm -f ${disk}`, "");
      const end = await ended("device-write-bps", written);
      expect(end).toMatchObject({ reason: "Completed" });
      const rate = /copied, [\d.,]+ s, ([\d.]+) MB\/s/.exec(live.log("device-write-bps"))?.[1];
      expect(Number(rate)).toBeGreaterThan(20);
      expect(Number(rate)).toBeLessThan(40);
    },
    "pids-limit": async () => {
      await started("pids-limit");
      await until("a fork was refused", () => live.log("pids-limit").includes("refused"));
      expect(live.log("pids-limit")).toBe("refused: Resource temporarily unavailable\n");
    },
    "cap-add-drop": async () => expect(status(await started("cap-add-drop"), "CapEff")).toBe("0000000000000400"),
    privileged: async () => expect(status(await started("privileged"), "CapEff")).toBe(status(process.pid, "CapBnd")),
    "security-opt-seccomp": async () => {
      const file = join(live.directory, "no-chmod.json");
      writeFileSync(
        file,
        JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["chmod", "fchmodat", "fchmod"], action: "SCMP_ACT_ERRNO" }] }),
      );
      const pid = await started("security-opt-seccomp", text("security-opt-seccomp").replaceAll("/etc/holdfast/no-chmod.json", file));
      await until("it has tried", () => live.log("security-opt-seccomp").includes("refused"));
      expect(status(pid, "Seccomp")).toBe("2");
    },
    // A denial is proven in apparmor.test.ts; here that it is never started without.
    "security-opt-apparmor": async () => {
      await live.apply(text("security-opt-apparmor"));
      expect(JSON.stringify(live.view("security-opt-apparmor").status)).toContain("ConfinementUnavailable");
    },
    "security-opt-label": async () => {
      await live.apply(text("security-opt-label"));
      if (!existsSync("/sys/fs/selinux/enforce"))
        expect(JSON.stringify(live.view("security-opt-label").status)).toContain("SELinux is not in use on this host");
    },
    "security-opt-no-new-privileges": async () => expect(status(await started("security-opt-no-new-privileges"), "NoNewPrivs")).toBe("1"),
    "read-only": async () => {
      mkdirSync(join(live.directory, "srv"));
      await started("read-only", text("read-only").replaceAll("hostPath: /srv", `hostPath: ${join(live.directory, "srv")}`));
      await until("it has tried", () => live.log("read-only").includes("tmp written"));
      expect(live.log("read-only")).toBe("touch: cannot touch '/x': Read-only file system\ntouch: cannot touch '/srv/x': Read-only file system\ntmp written\n");
    },
    ulimit: async () => {
      await started("ulimit");
      await until("it has told", () => live.log("ulimit").split("\n").length === 4);
      expect(live.log("ulimit")).toBe("1024\n4096\n0\n");
    },
    "userns-remap": async () => {
      // Root of a user namespace is somebody else, who must reach what is below.
      spawnSync("chmod", ["711", live.directory]);
      const pid = await started("userns-remap");
      await until("it has told", () => live.log("userns-remap") === "0\n");
      expect(status(pid, "Uid")).toBe("100000\t100000\t100000\t100000");
    },
  };

  test.each(Object.keys(looks))("%s", (name) => looks[name]?.(), 120_000);

  test("has no example that is not looked at, and each stands in the table", () => {
    const names = readdirSync(EXAMPLES).map((name) => name.replace(".yaml", ""));
    expect(names.sort()).toEqual(Object.keys(looks).sort());
    const page = readFileSync("docs/docker.md", "utf8");
    expect(names.filter((name) => !page.includes(`(../manifests/examples/${name}.yaml)`))).toEqual([]);
  });
});
