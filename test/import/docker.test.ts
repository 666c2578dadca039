import { expect, test } from "@jest/globals";
import { composeToObjects } from "../../src/import/compose.ts";
import { dockerRunToObjects } from "../../src/import/docker.ts";
import { parseDocument } from "../../src/manifest/parse.ts";
import { readFile } from "../../src/manifest/read.ts";

const run = (line: string) => dockerRunToObjects(line.split(" "));

test("flags of every kind, up to the image; behind it is the command", () => {
  const { objects, notes } = run(
    "docker run -dit --name=web -m 512m --memory-swap -1 --cpus=1.5 --pids-limit 100 -e A=b -v /srv:/data:ro -v cache:/c -u www:www -w /x --tmpfs /tmp:size=64m --read-only --cap-drop=ALL --security-opt no-new-privileges --device /dev/fuse:/dev/fuse:rw --restart unless-stopped --stop-signal TERM --stop-timeout 5 --network host --device-write-bps /dev/sda:30mb img:1 prog -m 5 --name x",
  );
  expect(objects[0]).toMatchObject({
    kind: "Workload",
    metadata: { name: "web" },
    spec: {
      confined: true,
      command: ["prog", "-m", "5", "--name", "x"],
      limits: { "memory.max": "512Mi", "memory.swap.max": "max", "cpu.max": "150%", "pids.max": 100, "io.max": [{ device: "/dev/sda", wbps: 31457280 }] },
      user: "www",
      group: "www",
      env: [{ name: "A", value: "b" }],
      workingDir: "/x",
      restartPolicy: "Always",
      stopSignal: "SIGTERM",
      terminationGracePeriodSeconds: 5,
      securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      volumes: [
        { hostPath: "/srv", mountPath: "/data", readOnly: true },
        { tmpfs: { size: "64Mi" }, mountPath: "/tmp" },
      ],
      devices: [{ path: "/dev/fuse", access: "rw" }],
      namespaces: { network: "Host" },
    },
  });
  expect(notes.join("\n")).toMatch(/--volume cache:\/c is left out/);
  expect(notes.join("\n")).toMatch(/--tty is left out/);
  // It is a manifest.
  expect(readFile({ path: "x", text: JSON.stringify(objects[0]) }).documents.flatMap(({ problems }) => problems)).toEqual([]);
});

test("without a command only limits are known; what is no flag, or has no image, is refused", () => {
  expect(run("run -m 200m redis").objects).toMatchObject([
    { kind: "LimitGroup", metadata: { name: "redis" }, spec: { limits: { "memory.max": "200Mi", "memory.swap.max": "200Mi" } } },
  ]);
  expect(() => run("run --foo x")).toThrow("docker run: Unknown option '--foo'");
  expect(() => run("run -m 5")).toThrow("docker run: expected an image");
  expect(() => run("run -m")).toThrow(/docker run: Option '-m, --memory <value>' argument missing/);
});

test("Compose: both ways to say limits, a group for each service", () => {
  const { objects, notes } = composeToObjects(
    {
      services: {
        web: { mem_limit: "200m", cpus: 0.5, pids_limit: 50, blkio_config: { device_write_bps: [{ path: "/dev/sda", rate: "12mb" }] } },
        db: { deploy: { resources: { limits: { cpus: "2", memory: "1g", pids: 9 }, reservations: { memory: "512m" } } } },
        plain: { image: "x" },
      },
    },
    "c",
  );
  expect(objects.map(({ metadata, spec }) => [metadata.name, spec["limits"]])).toEqual([
    ["web", { "memory.max": "200Mi", "memory.swap.max": "200Mi", "cpu.max": "50%", "pids.max": 50, "io.max": [{ device: "/dev/sda", wbps: 12582912 }] }],
    ["db", { "memory.max": "1Gi", "memory.low": "512Mi", "memory.swap.max": "1Gi", "cpu.max": "200%", "pids.max": 9 }],
  ]);
  expect(notes).toEqual(["c: plain has no limits"]);
  expect(() => composeToObjects({}, "c")).toThrow("c: expected services");
});

test("what means nothing, or cannot be carried over, is told: of a command that is not known too, and of Compose services", () => {
  const { objects, notes } = run(
    "docker run --cpus abc --pids-limit x --cpu-period 50000 --memory-swap 200m --memory-swappiness y --oom-kill-disable --device-read-bps /dev/sda:0 img",
  );
  expect(objects[0]?.spec).toEqual({ limits: {} });
  for (const flag of ["cpus abc", "pids-limit x", "cpu-period 50000", "memory-swap 200m", "memory-swappiness y", "oom-kill-disable"])
    expect(notes).toContainEqual(expect.stringMatching(new RegExp(`^--${flag} is left out`)));
  expect(run("docker run --restart bogus img prog").notes).toContainEqual(expect.stringContaining("--restart bogus is left out"));
  const compose = composeToObjects(
    { services: { db: { mem_limit: [1], cpus: "abc", ulimits: { nofile: 5 }, deploy: { resources: { reservations: { cpus: "1" } } } } } },
    "c",
  );
  expect(compose.objects).toEqual([]);
  expect(compose.notes).toEqual([
    "c: db: deploy.resources.reservations.cpus is left out: only limits come out",
    "c: db: ulimits is left out: only limits come out",
    "c: db: --memory: expected text or a number, found [1]",
    "c: db: --cpus abc is left out: it is no number",
    "c: db has no limits",
  ]);
});

test("a Compose file takes over the fields of another service, as Compose does", () => {
  const text = "services:\n  web: &w {mem_limit: 100m}\n  db:\n    <<: *w\n    pids_limit: 7\n";
  const parsed = parseDocument({ file: "c", line: 1, text }, { merge: true });
  const { objects } = composeToObjects("value" in parsed && parsed.value, "c");
  expect(objects.map(({ spec }) => spec)).toMatchObject([{ limits: { "memory.max": "100Mi" } }, { limits: { "memory.max": "100Mi", "pids.max": 7 } }]);
});
