/** What a confined workload is given and denied, looked at from inside: its own /proc, and attempts that must fail, with their errno. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { bundlesIn } from "../../src/host/bundle.ts";
import { whyNotConfined } from "../support/confined.ts";
import { end, Live, PATIENCE, sleep, takeAway, until } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

/** Magic numbers (statfs(2)). */
const [OVERLAYFS, TMPFS] = [0x794c7630, 0x01021994];

(whyNotConfined === undefined ? describe : describe.skip)("a confined workload", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
    // Root of a user namespace is somebody else: it must reach what is below.
    chmodSync(live.directory, 0o711);
  });
  afterEach(() => live.close());

  /** Runs a script to its end, and what it wrote. */
  const said = async (script: string, spec = "confined: true", annotations = ""): Promise<string> => {
    const text = workload("w", `{command: [sh, -c, ${JSON.stringify(script)}], restartPolicy: Never, ${spec}}`);
    await live.apply(annotations === "" ? text : text.replace("{name: w}", `{name: w, annotations: {${annotations}}}`));
    await live.settle("it has ended", () => live.view("w").status.replicaStatuses?.[0]?.state.terminated);
    return live.log("w");
  };
  const ended = () => live.view("w").status.replicaStatuses?.[0]?.state.terminated;
  const running = async (spec: string, command = "[sleep, '300']"): Promise<number> => {
    await live.apply(workload("w", `{command: ${command}, ${spec}}`));
    await live.settle("it runs", () => live.pid("w"));
    return live.pid("w");
  };
  const status = (pid: number, field: string): string =>
    new RegExp(`^${field}:\\s+(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]?.trim() ?? "";
  const file = (name: string): string => join(live.directory, name);
  const perl = (code: string): string => `perl -e '${code}'`;

  describe("capabilities", () => {
    const sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    const all = (pid: number): string[] => sets.map((set) => status(pid, set).replace(/^0+/, "") || "0");

    test("are Docker's fourteen", async () => {
      expect(all(await running("confined: true"))).toEqual(["0", "a80425fb", "a80425fb", "a80425fb", "0"]);
    });

    test("are those that are added after all others were dropped", async () => {
      const spec = "confined: true, securityContext: {capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}";
      expect(all(await running(spec))).toEqual(["0", "400", "400", "400", "0"]);
    });

    test("that are added are ambient for another user than root, who can use them", async () => {
      const bind = perl('use Socket; socket(S,2,1,0); print "bind: ", bind(S, sockaddr_in(80,INADDR_ANY)) ? "ok" : "$!", "\\n"');
      const spec = "confined: true, user: nobody, securityContext: {capabilities: {add: [NET_BIND_SERVICE]}}";
      expect(await said(`id -u; ${bind}; grep -E 'Cap(Eff|Amb|Bnd)' /proc/self/status`, spec)).toBe(
        "65534\nbind: ok\nCapEff:\t0000000000000400\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000400\n",
      );
    });

    test("are all there are of a plain process that drops some", async () => {
      const pid = await running("securityContext: {capabilities: {drop: [SYS_ADMIN, MKNOD]}}");
      const own = BigInt(`0x${/^CapBnd:\s+(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]}`);
      expect(BigInt(`0x${status(pid, "CapBnd")}`)).toBe(own & ~((1n << 21n) | (1n << 27n)));
      expect(status(pid, "Seccomp")).toBe("0");
    });

    test("cannot grow when privilege escalation is not allowed", async () => {
      const pid = await running("confined: true, user: nobody, securityContext: {allowPrivilegeEscalation: false}");
      expect([status(pid, "NoNewPrivs"), status(pid, "CapEff")]).toEqual(["1", "0000000000000000"]);
    });

    test("are all of the host's, without a filter, when privileged, which is told", async () => {
      const pid = await running("confined: true, restartPolicy: Never").catch(() => 0);
      expect(status(pid, "Seccomp")).toBe("2");
      const text = workload("w", "{command: [sleep, '300'], confined: true, securityContext: {privileged: true}}");
      await live.apply(text.replace("{name: w}", '{name: w, annotations: {holdfast.dev/privileged: "true"}}'));
      const privileged = await live.settle("the privileged one runs", () => live.pid("w") !== pid && live.pid("w"));
      expect(status(privileged, "CapEff")).toBe(/^CapBnd:\s+(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
      expect(status(privileged, "Seccomp")).toBe("0");
      expect(live.events.filter(({ reason, type }) => reason === "Privileged" && type === "Warning")).toHaveLength(1);
    });
  });

  describe("seccomp", () => {
    /** Numbers of x86_64 (arch/x86/entry/syscalls/syscall_64.tbl); each is tried with words that the kernel would refuse otherwise. */
    const calls: Readonly<Record<string, readonly [call: string, errno: number]>> = {
      add_key: ["248,0,0,0,0,0", 1],
      request_key: ["249,0,0,0,0", 1],
      keyctl: ["250,0,-3,0,0,0", 1],
      io_uring_setup: ["425,0,0", 1],
      userfaultfd: ["323,1", 1],
      unshare_user: ["272,0x10000000", 1],
      clone3: ["435,0,0", 38],
      mbind: ["237,0,0,0,0,0,0", 1],
      move_pages: ["279,0,0,0,0,0,0", 1],
      kcmp: ["312,1,1,0,0,0", 1],
      personality_odd: ["135,0x40000", 1],
      socket_alg: ["41,38,5,0", 1],
      socket_vsock: ["41,40,1,0", 1],
      open_by_handle_at: ["304,-100,0,0", 1],
      bpf: ["321,0,0,0", 1],
      swapon: ["167,0,0", 1],
    };
    const tries = Object.entries(calls)
      .map(([name, [call]]) => `$! = 0; syscall(${call}); print "${name} ", $!+0, "\\n";`)
      .join(" ");
    const expected = Object.entries(calls).map(([name, [, errno]]) => `${name} ${errno}`);
    const onX64 = process.arch === "x64" ? test : test.skip;

    onX64("RuntimeDefault denies what programs have no business with", async () => {
      const lines = (await said(perl(tries))).trim().split("\n");
      expect(lines).toEqual(expected);
      // The second time the filter is one that was compiled before.
      expect(readdirSync(bundlesIn(live.runDirectory).filters)).toHaveLength(1);
      const again = (await said(`: again; ${perl(tries)}`)).trim().split("\n").slice(lines.length);
      expect(again).toEqual(expected);
      // Without the filter most of them fare otherwise: it is the filter that denies.
      const without = (await said(perl(tries), "confined: true, securityContext: {seccompProfile: {type: Unconfined}}"))
        .trim()
        .split("\n")
        .slice(2 * lines.length);
      const same = without.filter((line) => expected.includes(line)).map((line) => line.split(" ")[0]);
      expect(same.filter((name) => !["open_by_handle_at", "bpf", "swapon", "kcmp"].includes(name ?? ""))).toEqual([]);
    });

    onX64("denied calls are events of the workload when that is asked for", async () => {
      const script = perl("syscall(250,0,-3,0,0,0) for 1..50; sleep 300");
      const { told } = await live.started(
        workload("w", `{command: [sh, -c, ${JSON.stringify(script)}], confined: true, securityContext: {seccompProfile: {type: RuntimeDefault, log: true}}}`),
      );
      await until("it is told", () => told("SeccompDenied").length > 0);
      expect(told("SeccompDenied")).toEqual([expect.stringMatching(/^SeccompDenied: w@0: keyctl \(250\) was denied to \/usr\/bin\/perl \(process \d+\)$/)]);
    });

    onX64("a profile of the host's is obeyed, its conditions resolved; a change of it is a new revision", async () => {
      const profile = (errno: number, arch: string): string =>
        JSON.stringify({
          defaultAction: "SCMP_ACT_ALLOW",
          archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
          syscalls: [
            { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: errno, includes: { arches: [arch], minKernel: "3.0" } },
            { name: "rmdir", action: "SCMP_ACT_ERRNO", errnoRet: 11, excludes: { caps: ["CAP_CHOWN"] } },
          ],
        });
      const script = perl('$| = 1; mkdir "/tmp/x" or print "mkdir ", $!+0, "\\n"; rmdir "/tmp/x" or print "rmdir ", $!+0, "\\n"; sleep 300');
      writeFileSync(file("p.json"), profile(13, "amd64"));
      const { told } = await live.started(
        workload(
          "w",
          `{command: [sh, -c, ${JSON.stringify(script)}], confined: true, securityContext: {seccompProfile: {type: Localhost, localhostProfile: ${file("p.json")}}}}`,
        ),
      );
      await until("it has tried", () => live.log("w").includes("rmdir"));
      expect(live.log("w")).toBe("mkdir 13\nrmdir 2\n");
      writeFileSync(file("p.json"), profile(17, "amd64"));
      await until("it is started anew", () => live.log("w").includes("mkdir 17"), 15_000);
      expect(told().some((line) => line.includes("new revision"))).toBe(true);
      writeFileSync(file("p.json"), "{");
      await until("it is told", () => told("ConfinementUnavailable").length > 0, 15_000);
      expect(told("ConfinementUnavailable")[0]).toContain("p.json");
      expect(live.pid("w")).toBeGreaterThan(0);
    });
  });

  describe("namespaces", () => {
    const NAMES = ["pid", "mnt", "net", "ipc", "uts", "cgroup", "user"];
    const others = (pid: number): string[] => NAMES.filter((name) => readlinkSync(`/proc/${pid}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`));

    test("are all its own but the user's; the network has a loopback, the host a name", async () => {
      const pid = await running("confined: true, hostname: box");
      expect(others(pid)).toEqual(["pid", "mnt", "net", "ipc", "uts", "cgroup"]);
      const inside = (...words: string[]): string => spawnSync("nsenter", ["-t", String(pid), ...words], { encoding: "utf8" }).stdout.trim();
      expect(
        inside(
          "-n",
          "sh",
          "-c",
          "cat /proc/net/if_inet6 | awk '{ print $6 }'; perl -MSocket -e 'socket(S,2,1,0); listen(S,1); connect(T,getsockname(S)) if socket(T,2,1,0); print getpeername(T) ? 1 : 0'",
        ),
      ).toBe("lo\n1");
      expect(inside("-u", "hostname")).toBe("box");
      expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).not.toContain("..");
    });

    test("are the host's by choice", async () => {
      const pid = await running("confined: true, namespaces: {pid: Host, network: Host, ipc: Host, uts: Host, cgroup: Host}");
      expect(others(pid)).toEqual(["mnt"]);
    });

    test("alone are its own without anything else", async () => {
      const before = readFileSync("/proc/self/mountinfo", "utf8");
      const pid = await running("namespaces: {network: Private, uts: Private}, hostname: alone");
      // Where crun must not see one of the cgroup hierarchies, it works in a mount namespace.
      const hidden = live.version("cpu") === 1 && existsSync("/sys/fs/cgroup/unified/cgroup.controllers");
      expect(others(pid)).toEqual(hidden ? ["mnt", "net", "uts"] : ["net", "uts"]);
      expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
      expect(readlinkSync(`/proc/${pid}/root`)).toBe("/");
    });

    test("of users map ids: root inside is nobody outside, and id-mapped volumes keep their owners", async () => {
      mkdirSync(file("v"));
      writeFileSync(join(file("v"), "roots"), "");
      writeFileSync(join(file("v"), "users"), "");
      chownSync(join(file("v"), "users"), 1000, 1000);
      const range = "[{containerID: 0, hostID: 100000, size: 65536}]";
      const spec = (idmap: boolean): string =>
        `confined: true, namespaces: {user: {uidMappings: ${range}}}, volumes: [{hostPath: ${file("v")}, mountPath: /v, idmap: ${idmap}}]`;
      const script = "id -u; cat /proc/self/uid_map | tr -s ' '; stat -c %u /v/roots /v/users; echo x >/v/roots && echo written";
      const plain = (await said(script, spec(false))).split("\n");
      expect(plain.slice(0, 4)).toEqual(["0", " 0 100000 65536", "65534", "65534"]);
      expect(plain).not.toContain("written");
      // A file system must know how; overlayfs and, before Linux 6.3, tmpfs do not.
      if (![OVERLAYFS, TMPFS].includes(statfsSync(file("v")).type)) {
        expect((await said(script, spec(true))).split("\n").slice(-6).join("\n")).toBe("0\n 0 100000 65536\n0\n1000\nwritten\n");
        expect(statSync(join(file("v"), "roots")).uid).toBe(0);
      }
      expect(await running(spec(false)).then((pid) => status(pid, "Uid"))).toBe("100000\t100000\t100000\t100000");
    });
  });

  describe("the file system", () => {
    const attempt = (path: string): string => perl(`open(F, ">", "${path}") ? print "${path} written\\n" : print "${path} ", $!+0, "\\n"`);

    test("is read-only, also what is mounted below; volumes are as they are declared; nothing of the host is seen besides", async () => {
      mkdirSync(join(file("v"), "sub"), { recursive: true });
      const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "holdfast-test", join(file("v"), "sub")]).status === 0;
      try {
        const volumes = `[{hostPath: ${file("v")}, mountPath: /ro, readOnly: true}, {hostPath: ${file("v")}, mountPath: /rw}, {tmpfs: {size: 64Ki}, mountPath: /scratch}]`;
        const script = ["/x", "/usr/x", "/etc/x", "/ro/x", "/ro/sub/x", "/rw/x", "/rw/sub/x", "/scratch/x", "/tmp/x"].map(attempt).join("; ");
        const full = perl('open(F, ">", "/scratch/y"); $| = 1; print F "x" x 100000; close F or print "scratch ", $!+0, "\\n"');
        const out = await said(`${script}; ${full}; ls -d /root /home /var /srv /etc/shadow 2>/dev/null`, `confined: true, volumes: ${volumes}`);
        expect(mounted).toBe(true);
        expect(out.trim().split("\n")).toEqual([
          "/x 30",
          "/usr/x 30",
          "/etc/x 30",
          "/ro/x 30",
          "/ro/sub/x 30",
          "/rw/x written",
          "/rw/sub/x written",
          "/scratch/x written",
          "/tmp/x written",
          "scratch 28",
        ]);
      } finally {
        if (mounted) spawnSync("umount", [join(file("v"), "sub")]);
      }
    });

    test("hides what is masked, and lets nothing be written to the kernel", async () => {
      const script = `wc -c </proc/keys; ${attempt("/proc/sys/kernel/hostname")}; ${attempt("/sys/kernel/mm/x")}; cat /usr/share/hidden 2>/dev/null | wc -c; ${attempt("/tmp/ro/x")}`;
      const spec = "confined: true, securityContext: {maskedPaths: [/usr/share/perl5], readonlyPaths: [/tmp]}";
      const out = (await said(`${script}; ls /usr/share/perl5 | wc -l; ${attempt("/tmp/x")}`, spec)).trim().split("\n");
      expect(out).toEqual(["0", "/proc/sys/kernel/hostname 30", "/sys/kernel/mm/x 30", "0", "/tmp/ro/x 2", "0", "/tmp/x 30"]);
    });

    test("has no devices but the ordinary ones and those that are declared", async () => {
      // 10:200 is /dev/net/tun; Docker's capabilities have MKNOD.
      const mknod = perl(
        '$! = 0; $p = "/dev/d"; syscall(133, $p, 0020666, (10<<8)|200); print "mknod ", $!+0, "\\n"; open(F, "+<", "/dev/d") or print "open ", $!+0, "\\n"',
      );
      const script = `${mknod}; head -c 4 /dev/zero | wc -c; echo x >/dev/null && echo null; ls /dev | tr '\\n' ' '; echo`;
      const out = (await said(script)).trim().split("\n");
      // crun lets nodes be made on v2, but not opened.
      expect(out.slice(0, 2)).toEqual(live.version("cpu") === 2 ? ["mknod 0", "open 1"] : ["mknod 1", "open 2"]);
      expect(out.slice(2, 4)).toEqual(["4", "null"]);
      expect(out.at(-1)?.trim().split(" ").sort()).toEqual(
        [
          ...(live.version("cpu") === 2 ? ["d"] : []),
          "core",
          "fd",
          "full",
          "mqueue",
          "null",
          "ptmx",
          "pts",
          "random",
          "shm",
          "stderr",
          "stdin",
          "stdout",
          "tty",
          "urandom",
          "zero",
        ].sort(),
      );
      if (!existsSync("/dev/kmsg")) return;
      const opened = perl(
        'open(F, "<", "/dev/kmsg") ? print "kmsg ok\\n" : print "kmsg ", $!+0, "\\n"; open(F, ">>", "/dev/kmsg") ? print "kmsg written\\n" : print "kmsg ", $!+0, "\\n"',
      );
      const more = (await said(opened, "confined: true, devices: [{path: /dev/kmsg, access: r}], securityContext: {capabilities: {add: [SYSLOG]}}"))
        .trim()
        .split("\n")
        .slice(-2);
      expect(more).toEqual(["kmsg ok", "kmsg 1"]);
    });
  });

  describe("is a workload like any other", () => {
    test("its limits are inside, change while it runs, and freeze it", async () => {
      const spec = (memory: string): string =>
        [
          group("g", "{limits: {pids.max: 50}}"),
          workload(
            "w",
            `{command: [sh, -c, 'ulimit -n; ulimit -Hn; while :; do date +%s%N >/tmp/t; sleep 0.05; done'], limitGroupRef: {name: g}, limits: {memory.max: ${memory}}, rlimits: [{type: RLIMIT_NOFILE, soft: 77, hard: 99}, {type: RLIMIT_CORE, soft: 0, hard: unlimited}], confined: true}`,
          ),
        ].join("---\n");
      await live.apply(spec("64Mi"));
      await live.settle("it runs", () => live.pid("w"));
      const pid = live.pid("w");
      await until("it has begun", () => live.log("w") === "77\n99\n");
      expect(live.procs("pids", "g/w@0")).toContain(pid);
      await live.apply(spec("96Mi"));
      expect([live.pid("w"), live.read("memory", "g/w@0", live.version("memory") === 1 ? "memory.limit_in_bytes" : "memory.max")]).toEqual([
        pid,
        String(96 * 2 ** 20),
      ]);
      await live.apply(spec("96Mi").replace("limits: {pids.max: 50}", "limits: {pids.max: 50}, frozen: true"));
      const tick = (): string => readFileSync(`/proc/${pid}/root/tmp/t`, "utf8");
      await sleep(200);
      const frozen = tick();
      await sleep(300);
      expect(tick()).toBe(frozen);
      await live.apply(spec("96Mi"));
      await until("it goes on", () => tick() !== frozen);
      expect(live.pid("w")).toBe(pid);
    });

    test("a fork bomb inside meets its limit", async () => {
      const bomb = perl('$n = 0; for (1..40) { $p = fork; last unless defined $p; if (!$p) { sleep 30; exit } $n++ } print "$n children\\n"; kill 9, -1');
      const out = await said(bomb, "confined: true, limits: {pids.max: 16}");
      // The shell may be the process that executes perl, or its parent.
      expect(["14 children\n", "15 children\n"]).toContain(out);
    });

    test("probes and hooks run inside, with no more rights than it has", async () => {
      const look = "(cat /proc/self/status | grep -E 'CapEff|NoNewPrivs|Seccomp:'; id -u; hostname; ls /root 2>&1) >/shared/probe; true";
      mkdirSync(file("shared"), { mode: 0o777 });
      spawnSync("chmod", ["777", file("shared")]);
      const spec = `{command: [sleep, '300'], user: nobody, confined: true, hostname: box, volumes: [{hostPath: ${file("shared")}, mountPath: /shared}], securityContext: {allowPrivilegeEscalation: false}, readinessProbe: {exec: {command: [sh, -c, ${JSON.stringify(look)}]}, periodSeconds: 1, timeoutSeconds: 5}, lifecycle: {preStop: {exec: {command: [sh, -c, 'echo stopping >/shared/hook']}}}}`;
      await live.started(workload("w", spec));
      await until("it is ready", () => live.view("w").status.replicaStatuses?.[0]?.ready);
      expect(readFileSync(join(file("shared"), "probe"), "utf8")).toBe(
        "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n65534\nbox\nls: cannot access '/root': No such file or directory\n",
      );
      live.write(group("g"));
      await until("it is gone", () => !existsSync(live.cgroup("", "w@0")), 10_000);
      expect(readFileSync(join(file("shared"), "hook"), "utf8")).toBe("stopping\n");
    });

    test("a probe that hangs leaves nothing behind", async () => {
      const spec =
        "{command: [sleep, '300'], confined: true, readinessProbe: {exec: {command: [sh, -c, 'trap \"\" TERM; sleep 77; :']}, periodSeconds: 1, timeoutSeconds: 1}}";
      const { told } = await live.started(workload("w", spec));
      await until("it has failed", () => told("Unhealthy").some((line) => line.includes("timed out")), 15_000);
      await sleep(2500);
      // The one that is at work now (timeout, crun, sh, sleep), and the command itself.
      expect(live.procs("", "w@0").length).toBeLessThanOrEqual(5);
    });

    test("nothing of the host's is given to its user: what init commands, probes and hooks read from and write to is their own", async () => {
      const owner = (): unknown => {
        const { uid, gid, mode, ctimeMs } = statSync("/dev/null");
        return { uid, gid, mode, ctimeMs };
      };
      const before = owner();
      const { told } = await live.started(
        workload(
          "w",
          `{command: [sh, -c, 'readlink /proc/self/fd/0; wc -c; sleep 300'], confined: true, user: nobody, initCommands: [{name: i, command: ["true"]}],
            lifecycle: {postStart: {exec: {command: [cat]}}}, readinessProbe: {exec: {command: [cat]}, periodSeconds: 1}}`,
        ),
      );
      await until("it is ready", () => told("Ready").length > 0);
      // There is nothing to read, and somebody who says so.
      await until("it has read", () => /^pipe:.*\n0\n$/.test(live.log("w")));
      expect(owner()).toEqual(before);
    });

    test("goes on when the run directory is removed, and is known by its exit code all the same", async () => {
      const spec = `{command: [sh, -c, 'until [ -e /v/go ]; do sleep 0.1 || exit 7; done; ls /usr >/dev/null || exit 8; exit 5'], confined: true, restartPolicy: Never,
        volumes: [{hostPath: ${file("v")}, mountPath: /v}], livenessProbe: {exec: {command: ["true"]}, periodSeconds: 1, failureThreshold: 1}}`;
      mkdirSync(file("v"), { recursive: true });
      chmodSync(live.directory, 0o755);
      const { told } = await live.started(workload("w", spec));
      const pid = await until("it runs", () => live.pid("w"));
      takeAway(live.runDirectory);
      await sleep(2500);
      expect(live.pid("w")).toBe(pid);
      expect(told("Unhealthy", "Killing")).toEqual([]);
      // Nor is what the runtime needs to run a probe taken for the workload's end, when that goes too.
      rmSync(bundlesIn(live.runDirectory).state, { recursive: true, force: true });
      for (const name of readdirSync(bundlesIn(live.runDirectory).directory))
        rmSync(join(bundlesIn(live.runDirectory).directory, name, "pid"), { force: true });
      writeFileSync(join(file("v"), "go"), "");
      await until("its exit code is told", () => told("Error").some((line) => line.includes("exit code 5")));
      expect(told("Completed")).toEqual([]);
    });

    test("its exit code or signal is known exactly, also when nobody looked", async () => {
      const { child } = await live.started(workload("w", "{command: [sh, -c, 'sleep 1; exit 41'], confined: true, restartPolicy: Never}"));
      await until("it runs", () => live.pid("w"));
      await end(child, "SIGKILL");
      await sleep(1500);
      await live.apply();
      expect(ended()).toMatchObject({ exitCode: 41, signal: null, reason: "Error" });
      const pid = await running("confined: true, restartPolicy: Never", "[sleep, '301']");
      process.kill(pid, "SIGKILL");
      await live.settle("it has ended", () => ended()?.signal);
      expect(ended()).toMatchObject({ exitCode: null, signal: "SIGKILL" });
    });

    test("stops at once when its first process would ignore the signal only for being the first", async () => {
      await live.started(workload("w", "{command: [sleep, '300'], confined: true}"));
      await until("it runs", () => live.pid("w"));
      const asked = Date.now();
      live.write(group("g"));
      await until("it is gone", () => !existsSync(live.cgroup("", "w@0")), 10_000);
      expect(Date.now() - asked).toBeLessThan(5000 * PATIENCE);
    });

    test("says why it cannot start, and leaves nothing", async () => {
      await live.apply(workload("w", "{command: [/nosuch/program], confined: true, restartPolicy: Never}"));
      await live.settle("it has ended", ended);
      expect(ended()).toMatchObject({ reason: "StartError" });
      expect(ended()?.message).toContain("/nosuch/program");
      await live.apply(workload("w", "{command: [sleep, '1'], confined: true, volumes: [{hostPath: /nosuch/dir, mountPath: /v}], restartPolicy: Never}"));
      expect(JSON.stringify(live.view("w").status)).toContain("/nosuch/dir does not exist");
      await live.apply("");
      await live.settle("all is gone", () => !existsSync(live.cgroup("", "w@0")));
      const { directory, state: states } = bundlesIn(live.runDirectory);
      expect([...readdirSync(directory), ...readdirSync(states)].filter((name) => name.startsWith("w"))).toEqual([]);
    });

    test("init commands run inside before it, and a failed one is told", async () => {
      const inits = (code: number): string =>
        `initCommands: [{name: one, command: [sh, -c, 'echo one $(hostname)']}, {name: two, command: [sh, -c, 'echo two; exit ${code}']}]`;
      expect(await said("echo main $(hostname)", `confined: true, hostname: box, ${inits(0)}`)).toBe("one box\ntwo\nmain box\n");
      await said("echo never", `confined: true, ${inits(3)}`);
      expect(ended()).toMatchObject({ reason: "InitError", message: "init command two: exit code 3" });
      expect(live.log("w")).not.toContain("never");
    });

    test("an init command that is asked to stop does so at once, and nothing follows it", async () => {
      const { told } = await live.started(
        workload("w", "{command: [sh, -c, 'echo never; sleep 300'], confined: true, initCommands: [{name: long, command: [sleep, '300']}]}"),
      );
      await until("the init command is at work", () => live.view("w").status.replicaStatuses?.[0]?.state.waiting?.reason === "Init:0/1");
      live.write(group("g"));
      await until("it is gone", () => !existsSync(live.cgroup("", "w@0")), 10_000);
      expect(live.log("w")).not.toContain("never");
      expect(told("ExceededGracePeriod")).toEqual([]);
    });

    test("a command inside has its limits of resources", async () => {
      const probe = `ulimit -n >/shared/n; ulimit -c >/shared/c`;
      mkdirSync(file("shared"));
      await live.started(
        workload(
          "w",
          `{command: [sleep, '300'], confined: true, rlimits: [{type: RLIMIT_NOFILE, soft: 77, hard: 99}, {type: RLIMIT_CORE, soft: unlimited}], volumes: [{hostPath: ${file("shared")}, mountPath: /shared}], readinessProbe: {exec: {command: [sh, -c, ${JSON.stringify(probe)}]}, periodSeconds: 1}}`,
        ),
      );
      await until("it is ready", () => live.view("w").status.replicaStatuses?.[0]?.ready);
      expect(["n", "c"].map((name) => readFileSync(join(file("shared"), name), "utf8"))).toEqual(["77\n", "unlimited\n"]);
    });

    test("a holder that is killed while an init command runs is not taken for the shell that makes the container", async () => {
      const spec =
        "{command: [sh, -c, 'echo main; sleep 300'], confined: true, restartPolicy: Never, initCommands: [{name: long, command: [sh, -c, 'echo init; sleep 2']}]}";
      const { told } = await live.started(workload("w", spec), "--resync", "1s");
      await until("the init command is at work", () => live.log("w").includes("init"));
      const [holder = 0] = readdirSync(live.cgroup("", ".holders"))
        .filter((name) => name.startsWith("w@0@"))
        .flatMap((name) => live.procs("", `.holders/${name}`))
        .filter((pid) => readFileSync(`/proc/${pid}/status`, "utf8").includes("State:\tT"));
      process.kill(holder, "SIGKILL");
      await until("the command runs all the same", () => live.log("w").includes("main"), 15_000);
      await until("it is told to run", () => live.view("w").status.replicaStatuses?.[0]?.state.running, 15_000);
      expect(told("Completed", "HolderContinued")).toEqual([]);
      live.write(group("g"));
      await until("it is gone", () => !existsSync(live.cgroup("", "w@0")), 20_000);
    });

    test("limits that are too small to start in are told as that", async () => {
      await live.apply(workload("w", "{command: [sleep, '1'], confined: true, restartPolicy: Never, limits: {pids.max: 1}}"));
      await live.settle("it has ended", ended);
      // Where the runtime looks after the cgroup (v2) it stays outside, and one process is enough.
      if (live.version("cpu") === 2) expect(ended()).toMatchObject({ reason: "Completed" });
      else expect(ended()?.message).toMatch(/pids.max is too small|Resource temporarily unavailable/);
    });

    test("what can remount what it sees of the host is told", async () => {
      await running("confined: true, securityContext: {capabilities: {add: [SYS_ADMIN]}}");
      expect(live.events.filter(({ reason }) => reason === "Privileged").map(({ note }) => note)).toEqual([
        "w@0 has SYS_ADMIN: it can make writable what it is shown of the host",
      ]);
    });

    test("its log stays root's, whoever it runs as", async () => {
      await running("confined: true, user: nobody");
      const { uid, gid, mode } = statSync(join(live.logDirectory, "w", "w.0.log"));
      expect({ uid, gid, mode: mode & 0o777 }).toEqual({ uid: 0, gid: 0, mode: 0o640 });
    });
  });
});
