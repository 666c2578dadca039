/** A saved plan: apply does that, or nothing, and names what moved since. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("a saved plan", () => {
  let live: Live;
  let file: string;
  beforeEach(() => {
    live = new Live();
    file = join(live.directory, "plan.json");
  });
  afterEach(() => live.close());

  const limits = (): string[] => ["batch", "other"].map((name) => live.read("pids", name, "pids.max"));
  const manifest = (batch: number, other: number, more = ""): string =>
    `${group("batch", `{limits: {pids.max: ${batch}}}`)}---\n${group("other", `{limits: {pids.max: ${other}}}`)}${more}`;
  const save = () => live.holdfast("diff", "--out", file);
  const apply = () => live.holdfast("apply", file);

  test("is applied as it is when nothing moved, also with the first groups and a start", async () => {
    live.write(manifest(40, 50, `---\n${workload("web", "{command: [sleep, '1000'], limitGroupRef: {name: batch}}")}`));
    expect(save()).toMatchObject({ code: 1, stderr: expect.stringContaining(`saved to ${file}`) });
    expect(existsSync(live.cgroup("", "batch"))).toBe(false);
    expect(apply()).toMatchObject({ code: 0 });
    expect(limits()).toEqual(["40", "50"]);
    await until("the workload runs", () => live.pid("web"));
    // It is done: there is nothing of that kind left to do.
    expect(apply()).toMatchObject({ code: 1, stderr: expect.stringContaining("LimitGroup/batch: pids.max max → 40: nothing of that kind is to do any more") });
    live.write(manifest(41, 50, `---\n${workload("web", "{command: [sleep, '1000'], limitGroupRef: {name: batch}}")}`));
    save();
    expect(apply()).toMatchObject({ code: 0 });
    expect(limits()).toEqual(["41", "50"]);
  });

  test("is refused when a value moved, another one drifted, or the manifest changed; nothing is done, and all of it is named", async () => {
    await live.apply(manifest(40, 50));
    await live.engine.save();
    live.write(manifest(45, 50));
    save();
    live.behind("pids", "batch", "pids.max", "39");
    live.behind("pids", "other", "pids.max", "51");
    const { code, stderr } = apply();
    expect(code).toBe(1);
    expect(stderr).toMatch(/was made at .*, and things have moved since; nothing was done:/);
    expect(stderr).toContain("LimitGroup/batch: pids.max 40 → 45: now it would be pids.max 39 → 45");
    expect(stderr).toContain("LimitGroup/other: pids.max 51 → 50: was not to do then");
    expect(limits()).toEqual(["39", "51"]);
    live.behind("pids", "batch", "pids.max", "40");
    live.behind("pids", "other", "pids.max", "50");
    live.write(manifest(46, 50));
    expect(apply().stderr).toContain("LimitGroup/batch: pids.max 40 → 45: now it would be pids.max 40 → 46");
    expect(limits()).toEqual(["40", "50"]);
    live.write(manifest(45, 50));
    expect(apply().code).toBe(0);
    expect(limits()).toEqual(["45", "50"]);
  });

  test("is of its root and its boot; what is none is said to be none; broken manifests are not saved", () => {
    live.write(manifest(40, 50));
    save();
    const plan = JSON.parse(readFileSync(file, "utf8")) as object;
    const refused = (text: string): string => {
      writeFileSync(file, text);
      const { code, stderr } = apply();
      expect(code).toBe(1);
      return stderr;
    };
    expect(refused(JSON.stringify({ ...plan, root: "elsewhere" }))).toContain("is a plan for the root cgroup elsewhere");
    expect(refused(JSON.stringify({ ...plan, bootId: "another" }))).toContain("the machine has booted since");
    expect(refused("{}")).toContain("is no plan that diff --out has saved");
    expect(live.holdfast("apply", `${file}.not`).stderr).toContain("(it does not exist)");
    live.write("spec: [");
    expect(save()).toMatchObject({ code: 2, stderr: expect.stringContaining("manifests are broken") });
    expect(existsSync(live.cgroup("", "batch"))).toBe(false);
  });
});
