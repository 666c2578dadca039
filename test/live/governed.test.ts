/** cgroupPath: limits of cgroups that somebody else has made; declared ones and no others, and what was found comes back. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, sleep, until, whyNotLive } from "../support/live.ts";
import { Outside } from "../support/outside.ts";

(whyNotLive === undefined ? describe : describe.skip)("governed cgroups", () => {
  let live: Live;
  let outside: Outside;
  beforeEach(() => {
    live = new Live();
    outside = new Outside(live.root);
    outside.handDown(["pids", "memory"]);
    for (const name of ["one", "two"]) outside.make(name);
  });
  afterEach(async () => {
    await live.close();
    await outside.close();
  });

  const file = (child: string, name = "pids.max"): string => join(outside.directory(name.split(".")[0] ?? "", child), name);
  const read = (child: string, name?: string): string => readFileSync(file(child, name), "utf8").trim();
  const write = (child: string, text: string, name?: string): void => writeFileSync(file(child, name), text, { flag: "r+" });
  const group = (path: string, spec: string, name = "theirs"): string =>
    `apiVersion: holdfast.dev/v1alpha1\nkind: LimitGroup\nmetadata: {name: ${name}}\nspec: {cgroupPath: "${path}"${spec}}\n`;
  const all = (limits = "pids.max: 50", more = ""): string => group(`${outside.name}/*`, `, limits: {${limits}}${more}`);

  test("declared limits alone are written, drift of them alone is repaired, what comes is limited, and nothing is ever removed", async () => {
    write("one", "77");
    const soft = live.version("memory") === 1 ? "memory.soft_limit_in_bytes" : "memory.low";
    write("one", "1048576", soft);
    live.write(all());
    expect(live.holdfast("diff")).toMatchObject({ code: 1, stdout: expect.stringContaining(`pids.max 77 → 50 in ${outside.name}/one`) });
    expect(read("one")).toBe("77");
    const { told } = await live.started(undefined);
    expect([read("one"), read("two")]).toEqual(["50", "50"]);
    write("one", "9");
    await until("it is repaired", () => read("one") === "50");
    write("one", "2097152", soft);
    outside.make("three");
    await until("what came is limited", () => read("three") === "50");
    // Another cgroup of the same name, as of a service that was started again.
    outside.remove("two");
    outside.make("two");
    await until("the new one is limited", () => read("two") === "50");
    write("two", "11");
    await until("and watched", () => read("two") === "50");
    expect(read("one", soft)).toBe("2097152");
    expect(told("DriftRepaired")[0]).toContain(`pids.max was 9, is 50 again in ${outside.name}/one`);
    expect(told("Pruned")).toEqual([]);
    expect(live.view("theirs").status.governed?.map(({ cgroup, route }) => `${cgroup} ${route}`)).toEqual(
      ["one", "three", "two"].map((name) => `/${outside.name}/${name} Kernel`),
    );
    live.write("# nothing\n");
    live.write(`apiVersion: holdfast.dev/v1alpha1\nkind: LimitGroup\nmetadata: {name: other}\n`, "b.yaml");
    await until("all is as it was found", () => read("one") === "77" && read("two") === "max" && read("three") === "max");
    expect(read("one", soft)).toBe("2097152");
  });

  test("Restore, also by the next controller; Reset; Orphan; and what somebody has changed since is left alone", async () => {
    write("one", "77");
    write("two", "78");
    await live.started(all());
    await until("in force", () => read("one") === "50");
    await live.stop("SIGKILL");
    // The policy may change as any other field.
    for (const [policy, expected] of [
      ["Restore", "77"],
      ["Reset", "max"],
      ["Orphan", "50"],
    ] as const) {
      write("one", "77");
      await live.apply(all("pids.max: 50", `, deletionPolicy: ${policy}`));
      expect(read("one")).toBe("50");
      await live.apply(group(`${outside.name}/*`, ", limits: {}"));
      expect({ policy, value: read("one") }).toEqual({ policy, value: expected });
    }
    write("two", "78");
    await live.apply(all());
    write("two", "12");
    await live.apply(group(`${outside.name}/*`, ", limits: {}"));
    expect(read("two")).toBe("12");
    expect(live.events.some(({ reason, note }) => reason === "LeftAlone" && note.includes(`pids.max of ${outside.name}/two was changed since`))).toBe(true);
  });

  test("two manifests on one cgroup are told with both lines, and neither is followed nor taken back", async () => {
    await live.apply(all());
    live.write(group(`${outside.name}/one`, ", limits: {pids.max: 60}", "also"), "b.yaml");
    const plan = await live.apply();
    const conflicts = plan.problems.filter(({ reason }) => reason === "Conflict");
    expect(conflicts.map(({ object, line }) => [object, line])).toEqual([
      ["LimitGroup/theirs", 4],
      ["LimitGroup/also", 4],
    ]);
    expect(conflicts[0]?.message).toMatch(/one is governed by LimitGroup\/also \(.*b\.yaml:4\) as well/);
    expect([read("one"), read("two")]).toEqual(["50", "50"]);
    write("one", "9");
    await live.apply();
    expect(read("one")).toBe("9");
    live.write(undefined, "b.yaml");
    await live.apply();
    expect(read("one")).toBe("50");
  });

  test("one that is not there is told, and limited when it comes; report and hold count here too", async () => {
    const { told } = await live.started(group(`${outside.name}/later`, ", drift: Report, limits: {pids.max: 50}"));
    await until("that is told", () => told("CgroupNotFound").length > 0);
    expect(live.view("theirs").status.conditions[0]).toMatchObject({ type: "Ready", status: "False", reason: "CgroupNotFound" });
    outside.make("later");
    await until("it is limited", () => read("later") === "50");
    await until("that is known", () => live.view("theirs").status.conditions[0]?.status === "True");
    write("later", "9");
    await until("it is told", () => told("DriftReported").length > 0);
    await sleep(200);
    expect(read("later")).toBe("9");
  });

  test("a hierarchy that the cgroup is not in is told, and limited when it comes there", async () => {
    if (live.version("pids") === 2 || outside.directory("pids") === outside.directory("memory")) return;
    rmdirSync(outside.directory("pids", "one"));
    const plan = await live.apply(group(`${outside.name}/one`, ", limits: {pids.max: 50, memory.max: 64Mi}"));
    expect(plan.problems.map(({ reason, pointer, message }) => [reason, pointer, message])).toEqual([
      ["CgroupNotFound", "/spec/limits/pids.max", `${outside.name}/one is not in the pids hierarchy now: nothing carries this limit`],
    ]);
    expect(read("one", "memory.limit_in_bytes")).toBe(String(64 * 2 ** 20));
    await live.started(undefined);
    mkdirSync(outside.directory("pids", "one"));
    await until("it is limited there as well", () => read("one") === "50");
  });

  test("a root of Holdfast's is nobody else's: neither this one nor another's", async () => {
    for (const name of ["one/.holders", "one/inner"]) outside.make(name);
    write("one", "77");
    const own = await live.apply(
      `${group(live.root, ", limits: {pids.max: 50}")}---\n${group(`${outside.name}/one/inner`, ", limits: {pids.max: 50}", "inner")}`,
    );
    expect(own.problems.map(({ reason, message }) => `${reason}: ${message}`).sort()).toEqual(
      [live.root, `${outside.name}/one`].map((root) => `GovernRefused: ${root} is a root of Holdfast's`).sort(),
    );
    const every = await live.apply(all());
    expect(every.problems).toEqual([]);
    expect([read("one"), read("two")]).toEqual(["77", "50"]);
  });

  test("a controller that the cgroup has not is told, and its owner's files are never touched for that", async () => {
    if (live.version("pids") === 1) return;
    outside.make("one/inner");
    const plan = await live.apply(group(`${outside.name}/one/inner`, ", limits: {pids.max: 50}"));
    expect(plan.problems.map(({ message }) => message)).toEqual([`${outside.name}/one/inner has no pids controller`]);
    expect(read("one", "cgroup.subtree_control")).toBe("");
  });
});
