import { expect, test } from "@jest/globals";
import { fieldChanges } from "../../src/plan/fieldChanges.ts";
import { group, manifestsOf, workload } from "../support/manifests.ts";

const resourceOf = (text: string) => [...manifestsOf({ "a.yaml": text }).resources.values()].at(-1);
const changes = (before: string, after: string): Record<string, string> => {
  const [old, now] = [resourceOf(before), resourceOf(after)];
  return now ? Object.fromEntries(fieldChanges(old?.spec, now).map(({ field, effect }) => [field, effect])) : {};
};

test("of a workload", () => {
  const [before, after] = [
    "{command: [x], limits: {pids.max: 1, memory.max: 1Gi}, replicas: 1, user: root, logs: {maxSize: 1Mi}}",
    "{command: [y], limits: {pids.max: 2, cpu.max: 20%}, replicas: 2, stopSignal: SIGINT, logs: {maxSize: 2Mi}}",
  ];
  expect(changes(workload("w", before), workload("w", after))).toEqual({
    "spec.command": "restarts",
    "spec.limits.cpu.max": "written in place",
    "spec.limits.memory.max": "written in place",
    "spec.limits.pids.max": "written in place",
    "spec.logs": "in force from the next decision on",
    "spec.replicas": "scales",
    "spec.stopSignal": "in force from the next decision on",
    "spec.user": "restarts",
  });
  expect(changes(workload("w", before), workload("w", before))).toEqual({});
  expect(changes(workload("w", "{command: [x]}"), workload("w", "{command: [x], logs: {directory: /x}}"))).toEqual({ "spec.logs": "restarts" });
});

test("of a job hold from the next run on; of a group are written", () => {
  expect(changes(workload("w", '{command: [x], schedule: "@daily"}'), workload("w", '{command: [y], schedule: "@hourly"}'))).toEqual({
    "spec.command": "holds from the next run on",
    "spec.schedule": "in force from the next decision on",
  });
  expect(changes(group("g", "{frozen: false}"), group("g", "{frozen: true}"))).toEqual({ "spec.frozen": "written in place" });
});
