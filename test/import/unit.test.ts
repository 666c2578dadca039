import { expect, test } from "@jest/globals";
import { unitToObjects } from "../../src/import/unit.ts";

const unit = (text: string, name = "web.service") => unitToObjects(name, [{ file: "u", text }]);

test("resource settings in systemd's units become limits of a governed unit; later files win", () => {
  const text = `[Unit]
Description=x
[Service]
ExecStart=/bin/x \\
  --flag
Slice=app-web.slice
CPUQuota=25%
CPUQuotaPeriodSec=50ms
CPUWeight=200
MemoryMax=1G
MemoryHigh=infinity
TasksMax=100
AllowedCPUs=0-1 3
IOReadBandwidthMax=/dev/sda 1M
IOWriteIOPSMax=/dev/sda 100
MemoryLow=10%
DeviceAllow=/dev/null
# MemoryMin=1
`;
  const { objects, notes } = unitToObjects("web.service", [
    { file: "u", text },
    { file: "d", text: "[Service]\nTasksMax=7\n" },
  ]);
  expect(objects).toMatchObject([
    {
      metadata: { name: "web-service" },
      spec: {
        cgroupPath: "app.slice/app-web.slice/web.service",
        limits: {
          "cpu.max": { quota: "12500us", period: "50000us" },
          "cpu.weight": 200,
          "memory.max": "1Gi",
          "memory.high": "max",
          "pids.max": 7,
          "cpuset.cpus": "0-1,3",
          "io.max": [{ device: "/dev/sda", rbps: 1000000, wiops: 100 }],
        },
      },
    },
  ]);
  expect(notes).toEqual([expect.stringMatching(/^u:16: MemoryLow=10% is left out: a share/), expect.stringMatching(/^u:17: DeviceAllow/)]);
});

test("slices are inside of one another by their dashes; what is no unit is refused with its line", () => {
  expect(unit("[Slice]\nMemoryMax=5M\n", "a-b.slice").objects[0]?.spec["cgroupPath"]).toBe("a.slice/a-b.slice");
  expect(unit("[Service]\nCPUQuota=150%\n").objects[0]?.spec).toEqual({ cgroupPath: "system.slice/web.service", limits: { "cpu.max": "150%" } });
  expect(() => unit("MemoryMax=5\n")).toThrow("u:1: expected a section, or NAME=VALUE in one");
});

test("an empty value takes back, a comment inside of a line is none of it, and what is no value is told", () => {
  const text = `[Service]
MemoryMax=100M
MemoryMax=
MemoryHigh=1.5G \\
# between

CPUWeight=5
CPUWeight=
IOReadBandwidthMax=/dev/sda 1M
IOReadBandwidthMax=
CPUQuota=50
IOWeight=default 300
MemoryMin=x
`;
  const { objects, notes } = unit(text);
  expect(objects[0]?.spec["limits"]).toEqual({ "memory.high": "1536Mi" });
  expect(notes).toEqual([
    "u:11: CPUQuota=50 is left out: expected a number with %",
    "u:12: IOWeight=default 300 is left out: it is no number",
    "u:13: MemoryMin=x is left out: it is no size",
  ]);
});

test("what has no cgroup of its own is refused", () => {
  for (const name of ["web@.service", "-.slice", "10.conf"])
    expect(() => unit("[Service]\nTasksMax=1\n", name)).toThrow(/template|root cgroup|expected the file/);
});
