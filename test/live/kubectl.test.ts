/** Real kubectl binaries, and @kubernetes/client-node's informer, against a controller at work; compared with what the kernel says. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Live, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";
import { kubectls, Served, whyWithout } from "../support/served.ts";

const why = whyNotLive ?? whyWithout(kubectls[0]);
const MANIFEST = [
  group("batch", "{limits: {memory.max: 64Mi, pids.max: 50}}").replace("name: batch", "name: batch, labels: {team: x}"),
  workload("web", "{limitGroupRef: {name: batch}, replicas: 2, command: [sh, -c, 'echo hello; exec sleep 300']}"),
].join("---\n");

(why === undefined ? describe : describe.skip)("kubectl", () => {
  let live: Live;
  let served: Served;
  beforeAll(async () => {
    live = new Live();
    served = new Served(live, (await live.started(MANIFEST, "--resync", "1s", "--listen", "127.0.0.1:0")).output());
    await until("both replicas run", () => live.pid("web", 0) && live.pid("web", 1));
  }, 60_000);
  afterAll(() => live.close());

  // Where there is none, the whole is skipped; and a table must not be empty.
  describe.each((kubectls.length > 0 ? kubectls : ["kubectl"]).map((program) => [basename(program), program] as const))("%s", (_name, program) => {
    const run = (...args: string[]): string => {
      const { code, stdout, stderr } = served.kubectl(program, ...args);
      if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${code} ${stderr}`);
      return stdout;
    };
    const isOld = (): boolean => /GitVersion:"v1\.20\./.test(served.kubectl(program, "version", "--client").stdout);

    test("get: tables, wide, labels, selectors, names, yaml, jsonpath, all kinds", () => {
      expect(run("get", "limitgroups")).toMatch(/^NAME +READY +LIMITS +USAGE +DRIFT +AGE\nbatch +True +memory\.max 64Mi, pids\.max 50 +.* pids +\d/);
      expect(run("get", "wl", "-o", "wide")).toMatch(
        /^NAME +READY +STATUS +RESTARTS +RUNNING +AGE +LIMITS +USAGE +DRIFT +CGROUP +MESSAGE\nweb +2\/2 +Running +0 .*batch\/web@\*/,
      );
      expect(run("get", "lg", "batch", "--show-labels")).toMatch(/LABELS\n.*team=x\n$/);
      expect(run("get", "lg", "-l", "team=x", "-o", "name")).toBe("limitgroup.holdfast.dev/batch\n");
      expect(served.kubectl(program, "get", "lg", "-l", "team=y").stderr).toMatch(/No resources found/);
      expect(run("get", "lg", "--field-selector", "metadata.name=batch", "-o", "jsonpath={.items[0].spec.limits.pids\\.max}")).toBe("50");
      expect(run("get", "wl", "web", "-o", "yaml")).toContain("readyReplicas: 2");
      expect(run("get", "lg", "-o", "custom-columns=N:.metadata.name,C:.status.cgroup")).toMatch(/^N +C\nbatch +batch\n/);
      expect(run("get", "all", "-A")).toMatch(/limitgroup\.holdfast\.dev\/batch(.|\n)*workload\.holdfast\.dev\/web/);
      expect(run("get", "pods")).toMatch(/web-0 +1\/1 +Running +0(.|\n)*web-1 +1\/1 +Running/);
      expect(run("get", "nodes")).toMatch(/ Ready +/);
      expect(run("get", "ns")).toMatch(/^NAME +STATUS +AGE\ndefault +Active/);
      expect(served.kubectl(program, "get", "lg", "nothing")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('limitgroups.holdfast.dev "nothing" not found'),
      });
    });

    test("get -w sees drift as it is repaired", async () => {
      const watching = served.kubectlWatch(program, "get", "lg", "batch", "-w");
      try {
        await until("it lists", () => watching.output().includes("batch"));
        /** The column Drift of the last line: `2 (5s ago)`. */
        const drift = (): number => Number(/ (\d+)(?: \(\d+\w ago\))? +\d+\w\n?$/.exec(watching.output().trimEnd())?.[1]);
        const before = drift();
        live.behind("pids", "batch", "pids.max", "7");
        await until("drift is seen", () => drift() > before);
        expect(live.read("pids", "batch", "pids.max")).toBe("50");
      } finally {
        watching.end();
      }
    });

    test("describe, with the object's events", () => {
      expect(run("describe", "workload", "web")).toMatch(/Name: +web\n(.|\n)*Ready Replicas: +2\n(.|\n)*Events:\n(.|\n)*Normal +Started +.*holdfast +web@0/);
      expect(run("describe", "pod", "web-0")).toMatch(/Controlled By: +Workload\/web\n(.|\n)*State: +Running/);
      run("describe", "node");
    });

    test("wait, for a condition and for an end", () => {
      expect(run("wait", "--for=condition=Ready", "workload/web", "--timeout=10s")).toContain("condition met");
      expect(served.kubectl(program, "wait", "--for=condition=Stalled", "lg/batch", "--timeout=1s").code).toBe(1);
    });

    test("explain", () => {
      expect(run("explain", "limitgroup.spec.limits")).toMatch(/cpu\.weight(.|\n)*memory\.max/);
      expect(run("explain", "workload.spec.replicas")).toMatch(/integer/);
      expect(run("explain", "workload", "--recursive")).toContain("securityContext");
    });

    test("api-resources, version, raw paths", () => {
      expect(run("api-resources")).toMatch(/limitgroups +lg +(holdfast\.dev\/v1alpha1|holdfast\.dev) +false +LimitGroup/);
      expect(run("version")).toContain("holdfast-");
      expect(run("get", "--raw", "/metrics")).toContain("holdfast_object_ready");
      expect(run("get", "--raw", "/readyz")).toBe("ok");
    });

    test("events", () => {
      expect(run("get", "events")).toMatch(/LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.|\n)*Normal +Started +workload\/web +web@0/);
      if (!isOld()) expect(run("events", "--for", "workload/web")).toMatch(/Started +Workload\/web/);
    });

    test("logs", () => {
      expect(run("logs", "web-0")).toBe("hello\n");
      expect(run("logs", "-l", "holdfast.dev/workload=web", "--tail=1")).toBe("hello\nhello\n");
      expect(served.kubectl(program, "logs", "web-7").code).toBe(1);
    });

    test("top", async () => {
      await until("usage is known", () => served.kubectl(program, "top", "pods").code === 0, 15_000);
      const memory = Number(/web-0 +\d+m +(\d+)Mi/.exec(run("top", "pods"))?.[1]);
      const file = live.version("memory") === 1 ? "memory.usage_in_bytes" : "memory.current";
      expect(Math.abs(memory - Number(live.read("memory", "batch/web@0", file)) / (1 << 20))).toBeLessThan(3);
      expect(run("top", "nodes")).toMatch(/\d+%/);
    });

    test("what would change something is refused, and nothing happens", () => {
      for (const args of [
        ["delete", "lg", "batch"],
        ["label", "lg", "batch", "a=b"],
        ["annotate", "wl", "web", "a=b"],
        ["patch", "lg", "batch", "--type=merge", "-p", '{"spec":{}}'],
      ])
        expect(served.kubectl(program, ...args)).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(/read-only: the manifest directory is the source of truth; edit .*a\.yaml/),
        });
      expect(live.read("pids", "batch", "pids.max")).toBe("50");
    });
  });

  test("@kubernetes/client-node's informer lists, and follows", async () => {
    const { KubeConfig, CustomObjectsApi, makeInformer } = await import("@kubernetes/client-node");
    const config = new KubeConfig();
    config.loadFromString(readFileSync(served.kubeconfig(), "utf8"));
    const api = config.makeApiClient(CustomObjectsApi);
    type Group = { metadata: { name: string; resourceVersion: string }; status: { drift?: { count: number } } };
    const list = () => api.listClusterCustomObject({ group: "holdfast.dev", version: "v1alpha1", plural: "limitgroups" });
    const informer = makeInformer<Group & object>(config, "/apis/holdfast.dev/v1alpha1/limitgroups", list as never);
    const seen: string[] = [];
    informer.on("add", ({ metadata }) => seen.push(`add ${metadata.name}`));
    informer.on("update", ({ metadata }) => seen.push(`update ${metadata.name}`));
    informer.on("delete", ({ metadata }) => seen.push(`delete ${metadata.name}`));
    await informer.start();
    try {
      await until("it lists", () => seen.includes("add batch"));
      live.behind("pids", "batch", "pids.max", "8");
      await until("it follows", () => seen.includes("update batch"));
      live.write(`${MANIFEST}---\n${group("more", "{}")}`);
      await until("a new one is seen", () => seen.includes("add more"));
      live.write(MANIFEST);
      await until("that it goes is seen", () => seen.includes("delete more"));
    } finally {
      await informer.stop();
    }
  });
});
