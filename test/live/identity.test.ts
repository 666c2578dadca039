/** Who a workload is, looked at from inside: its own /proc, its own words. */
import { readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, until, whyNotLive } from "../support/live.ts";
import { workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("a workload's process", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());
  const status = (name: string, field: string): string =>
    new RegExp(`^${field}:\\s+(.*)$`, "m").exec(readFileSync(`/proc/${live.pid(name)}/status`, "utf8"))?.[1]?.trim() ?? "";
  const started = async (spec: string): Promise<void> => {
    await live.apply(workload("w", `{command: [sleep, '300'], ${spec}}`));
    await until("it is the command itself", () => readFileSync(`/proc/${live.pid("w")}/comm`, "utf8").trim() === "sleep");
  };
  const end = async (name: string): Promise<{ reason?: string; message?: string }> =>
    (await live.settle("it ended", () => live.view(name).status.replicaStatuses?.[0]?.state.terminated)) as { reason?: string; message?: string };

  test("has the user, the group and all of its groups, and none of the controller's", async () => {
    await started("user: nobody, group: daemon, supplementaryGroups: [adm, 4242]");
    expect(status("w", "Uid")).toBe("65534\t65534\t65534\t65534");
    expect(status("w", "Gid")).toBe("1\t1\t1\t1");
    expect(status("w", "Groups")).toBe("4 4242");
    expect(Number.parseInt(status("w", "CapEff"), 16)).toBe(0);
  });

  test("of a user alone has that user's groups and home", async () => {
    await live.apply(workload("w", "{command: [sh, -c, 'id -u; id -G; echo $HOME $USER'], user: nobody, restartPolicy: Never}"));
    await end("w");
    expect(live.log("w")).toBe("65534\n65534\n/nonexistent nobody\n");
  });

  test("is somebody else before anything obeys its variables", async () => {
    // Whoever may write an env file would be root by LD_PRELOAD; ld.so complains of each program that is told to load what is not there.
    const env = "[{name: LD_PRELOAD, value: /nosuch/evil.so}, {name: UID, value: '7'}, {name: NAME, value: \"it's\"}]";
    const command = `[sh, -c, 'id -u; echo "$NAME"; tr "\\\\0" "\\\\n" </proc/self/environ | grep -c _holdfast_']`;
    await live.apply(
      workload(
        "w",
        `{command: ${command}, env: ${env}, user: nobody, nice: 1, initCommands: [{name: i, command: [sh, -c, 'echo init $NAME']}], restartPolicy: Never}`,
      ),
    );
    await live.settle("it has ended", () => live.view("w").status.replicaStatuses?.[0]?.state.terminated, 15_000);
    const complaints = live
      .log("w")
      .split("\n")
      .filter((line) => line.includes("LD_PRELOAD"));
    expect(complaints.length).toBeGreaterThan(0);
    for (const tool of ["setpriv", "nice"]) expect(complaints.filter((line) => line.includes(tool))).toEqual([]);
    const said = live
      .log("w")
      .split("\n")
      .filter((line) => !line.includes("LD_PRELOAD"));
    expect(said).toEqual(["init it's", "65534", "it's", "0", ""]);
  });

  test("has umask, nice value, priorities, CPUs, OOM score and rlimits", async () => {
    await started(
      "umask: '0027', nice: 7, ioPriority: {class: IOPRIO_CLASS_BE, priority: 6}, schedulingPolicy: {policy: SCHED_BATCH}, cpuAffinity: '0', oomScoreAdj: 321, rlimits: [{type: RLIMIT_NOFILE, soft: 77, hard: 99}, {type: RLIMIT_CORE, soft: 0, hard: unlimited}]",
    );
    const pid = live.pid("w");
    expect(status("w", "Umask")).toBe("0027");
    expect(getPriority(pid)).toBe(7);
    expect(status("w", "Cpus_allowed_list")).toBe("0");
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim()).toBe("321");
    const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
    expect(limits).toMatch(/^Max open files\s+77\s+99\s/m);
    expect(limits).toMatch(/^Max core file size\s+0\s+unlimited\s/m);
    // Field 41 of stat, after the name: the policy (sched(7)); 3 is SCHED_BATCH.
    expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[38]).toBe("3");
  });

  test("expands variables as Kubernetes does", async () => {
    const env = "[{name: A, value: one}, {name: B, value: $(A)-two}, {name: C, value: $$(A)}]";
    await live.apply(
      workload("w", `{command: [printf, '%s|'], args: ["$(B)", "$(C)", "$(NONE)", "$(HOLDFAST_ORDINAL)", "$$HOME"], env: ${env}, restartPolicy: Never}`),
    );
    await end("w");
    expect(live.log("w")).toBe("one-two|$(A)|$(NONE)|0|$HOME|");
  });

  test("that cannot be who it shall be says why, and does not run as somebody else", async () => {
    await live.apply(workload("w", "{command: [sleep, '300'], user: no-such-user}"));
    expect(live.view("w").status.replicaStatuses?.[0]?.state.waiting).toEqual({ reason: "StartBlocked", message: "there is no user no-such-user" });
    await live.apply(workload("w", "{command: [/root/no/such], user: nobody, restartPolicy: Never}"));
    expect(await end("w")).toMatchObject({ reason: "StartError", message: expect.stringMatching(/^\/root\/no\/such: ENOENT/) });
    await live.apply(workload("w", "{command: [/etc/passwd], user: nobody, restartPolicy: Never}"));
    const message = (): string => live.view("w").status.replicaStatuses?.[0]?.state.terminated?.message ?? "";
    await live.settle("it is another file", () => /^\/etc\/passwd: EACCES/.test(message()));
  });
});
