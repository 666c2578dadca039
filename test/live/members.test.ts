/** spec.members: processes that somebody else has started are drawn into a group, kept there, and given back. */
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { FieldDrift } from "../../src/api/status.ts";
import { cgroupsOf } from "../../src/host/procfs.ts";
import { Live, sleep, until, whyNotLive } from "../support/live.ts";
import { group } from "../support/manifests.ts";
import { Outside } from "../support/outside.ts";

(whyNotLive === undefined ? describe : describe.skip)("members", () => {
  let live: Live;
  let outside: Outside;
  let sleeper: string;
  beforeEach(() => {
    live = new Live();
    outside = new Outside(live.root);
    sleeper = outside.program("hf-sleeper", "/bin/sleep");
  });
  afterEach(async () => {
    await live.close();
    await outside.close();
  });

  /** The cgroup of a process, where its number of processes is limited. */
  const place = (pid: number): string => {
    const cgroups = cgroupsOf(pid) ?? new Map();
    const [controllers] = [...cgroups.keys()].filter((name) => name.split(",").includes("pids"));
    return cgroups.get(controllers ?? "") ?? "";
  };
  const inside = (name: string): string => `/${live.root}/${name}/members`;
  const from = (child = ""): string => `/${outside.name}${child === "" ? "" : `/${child}`}`;
  const rule = (more = ""): string => `{comm: hf-sleeper, cgroup: ${outside.name}/**${more}}`;
  const manifest = (rules: string, more = ""): string => group("batch", `{limits: {pids.max: 50}, members: [${rules}]${more}}`);
  const start = (child?: string): number => outside.start([sleeper, "1000"], child);

  test("diff tells who would move, and moves nobody; then those there are and new ones are drawn in, limited, and told", async () => {
    const first = start();
    live.write(manifest(rule()));
    const { code, stdout } = live.holdfast("diff");
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining(`draw in process ${first} (hf-sleeper) from ${from()}`) });
    expect(stdout).toMatch(/a\.yaml:4\n/);
    expect(place(first)).toBe(from());
    const { told } = await live.started(undefined);
    expect(place(first)).toBe(inside("batch"));
    expect(live.read("pids", "batch", "pids.current")).toBe("1");
    const second = start();
    await until("the new one is drawn in", () => place(second) === inside("batch"));
    await until("both are told", () => told("Joined").length === 2);
    expect(told("Joined")).toEqual([`Joined: drew in process ${first} (hf-sleeper)`, `Joined: drew in process ${second} (hf-sleeper)`]);
    expect(live.view("batch").status.members).toMatchObject({ expectedCount: 2, missingCount: 0, unexpectedCount: 0, refusedCount: 0 });
  });

  test("children that were there before, and threads, come along; later ones are born inside", async () => {
    const script = outside.start(["sh", "-c", "sleep 1000 & sleep 1001 & wait"]);
    const children = (): number[] => readFileSync(`/proc/${script}/task/${script}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    await until("it has children", () => children().length === 2);
    await live.started(manifest(`{cmdline: '[&#] wait$', cgroup: ${outside.name}}`));
    await until("all are inside", () => [script, ...children()].every((pid) => place(pid) === inside("batch")));
    const threads = outside.start([process.execPath, "-e", "setInterval(() => {}, 1e6); // & wait"]);
    await until("it has threads, and is inside", () => readdirSync(`/proc/${threads}/task`).length > 4 && place(threads) === inside("batch"));
    for (const id of readdirSync(`/proc/${threads}/task`)) expect(place(Number(id))).toBe(inside("batch"));
  });

  test("who has left is moved back as drift; with Report it is told, and while the object is held neither", async () => {
    const pid = start();
    const { told } = await live.started(manifest(rule()));
    outside.move(pid);
    await until("it is moved back", () => place(pid) === inside("batch"));
    await until("that is told", () => told("DriftRepaired").length > 0);
    expect(told("DriftRepaired")[0]).toContain(`process ${pid} (hf-sleeper) had left; moved it back`);
    live.write(manifest(rule(), ", drift: Report"));
    await until("only told from now on", () => readFileSync(`${live.runDirectory}/status.json`, "utf8").includes("Report"));
    // So long that the members were looked at meanwhile.
    await sleep(2500);
    outside.move(pid);
    await until("that is told", () => told("DriftReported").length > 0);
    // Of the last one to leave v2 tells; of others the look each second does.
    const noticed = (): FieldDrift["detection"] => live.view("batch").status.drift?.fields?.find(({ kind }) => kind === "Membership")?.detection;
    await until("how soon is known", () => noticed() !== undefined);
    expect(noticed()?.seconds).toBeLessThan(10);
    expect(place(pid)).toBe(from());
    expect(live.view("batch").status).toMatchObject({ members: { missing: [{ pid, command: "hf-sleeper" }] } });
    await until("it is counted", () => live.view("batch").status.drift?.count === 2);
    expect(live.holdfast("audit")).toMatchObject({ code: 1, stdout: expect.stringContaining(`move process ${pid} (hf-sleeper) back from ${from()}`) });
  });

  test("when a rule goes, its processes go back to where each came from, also those that a killed controller has drawn in", async () => {
    outside.make("deep");
    const [one, other] = [start(), start("deep")];
    await live.started(manifest(rule()));
    const child = await until("both are inside", () => place(one) === inside("batch") && place(other) === inside("batch"));
    expect(child).toBe(true);
    await live.stop("SIGKILL");
    live.write(manifest(`{comm: nobody-at-all}`));
    expect(live.holdfast("diff").stdout).toContain(`move process ${other} (hf-sleeper) back to ${from("deep")}`);
    const { told } = await live.started(undefined);
    expect([place(one), place(other)]).toEqual([from(), from("deep")]);
    expect(told("Left").join()).toContain(`${one} (hf-sleeper)`);
    // The whole group: its cgroups go as well.
    live.write(manifest(rule()));
    await until("inside again", () => place(other) === inside("batch"));
    live.write(group("other"));
    await until(
      "given back, and removed",
      () => place(other) === from("deep") && told("Pruned").some((line) => line.includes("removed the cgroup batch from")),
    );
  });

  test("of several rules the first counts: groups by name, rules as they stand; any and not", async () => {
    const [one, other] = [start(), outside.start([sleeper, "1001"])];
    const two = (first: string, second: string): string =>
      `${group("aa", `{limits: {pids.max: 50}, members: [${first}]}`)}---\n${group("bb", `{limits: {pids.max: 50}, members: [${second}]}`)}`;
    await live.started(two(rule(", not: {cmdline: ' 1001$'}"), rule()));
    await until("each is in its group", () => place(one) === inside("aa") && place(other) === inside("bb"));
    // A process that belongs elsewhere now still knows where it came from.
    live.write(two(rule(", not: {any: [{cmdline: ' 1001$'}, {cmdline: ' 1000$'}]}"), rule()));
    await until("both are in the second", () => place(one) === inside("bb") && place(other) === inside("bb"));
    live.write(group("aa"));
    await until("both are back", () => place(one) === from() && place(other) === from());
  });

  test("nothing is taken from a cgroup that somebody looks after, unless the rule names it; and that is told", async () => {
    const pid = start();
    const { told } = await live.started(manifest("{comm: hf-sleeper}"));
    await until("that is told", () => told("MemberRefused").length > 0);
    expect(told("MemberRefused")[0]).toContain(`left to whoever made the cgroup ${outside.name}`);
    expect(place(pid)).toBe(from());
    expect(live.view("batch").status).toMatchObject({
      members: { refused: [{ pid, command: "hf-sleeper", owner: `whoever made the cgroup ${outside.name}` }] },
      conditions: [{ type: "Ready", status: "False", reason: "MemberRefused" }, {}],
    });
    live.write(manifest(`{any: [{comm: hf-sleeper, cgroup: ${outside.name}}]}`));
    await until("it is named", () => place(pid) === inside("batch"));
  });

  test("neither the controller nor a workload is ever drawn in, whatever a rule says", async () => {
    const marker = `marker-${live.root}`;
    const text = `${manifest(`{cmdline: ${marker}}`)}---
apiVersion: holdfast.dev/v1alpha1
kind: Workload
metadata: {name: w}
spec: {command: [sh, -c, "sleep 1000; : ${marker}"]}
`;
    live.write(text);
    const controller = live.controller("--resync", "1s", "--image-dir", `${live.directory}/${marker}`);
    await until("it runs", () => live.pid("w") > 0);
    const pid = outside.start(["sh", "-c", `sleep 1000; : ${marker}`], "");
    await until("a look at all was had", () => live.view("batch").status.members?.refusedCount === 1, 20_000);
    expect(place(live.pid("w"))).toBe(`/${live.root}/w@0`);
    expect(place(controller.child.pid ?? 0)).not.toContain(live.root);
    expect(place(pid)).toBe(from());
  });
});
