/** `explain CGROUP FILE`: what a limit comes to over the cgroups above, who asked for it, and what became of it. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotLive === undefined ? describe : describe.skip)("explain of a value", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const explain = (...words: string[]): string => live.holdfast("explain", ...words).stdout;
  /** The cells of the line that begins with that cgroup. */
  const row = (said: string, cgroup: string): string[] =>
    (said.split("\n").find((line) => line.startsWith(`/${live.root}${cgroup} `)) ?? "").split(/ {2,}/).slice(1);

  test("tells each level, its manifest line, the least of all, rounding, the last write and the last drift", () => {
    live.write(
      `${group("batch", "{limits: {memory.max: 64000001, pids.max: 40, cpu.weight: 50}}")}---\n${workload("web", "{limitGroupRef: {name: batch}, limits: {memory.max: 100Mi, pids.max: 20}, command: [sleep, '1000']}")}`,
    );
    expect(live.holdfast("apply").code).toBe(0);
    const pids = explain("batch/web@0", "pids.max");
    expect(row(pids, "/batch")).toEqual(["40", "40", expect.stringMatching(/a\.yaml:4$/)]);
    expect(row(pids, "/batch/web@0")).toEqual(["20", "20", expect.stringMatching(/a\.yaml:9$/)]);
    expect(row(pids, "")).toEqual(["max", "-", "left alone"]);
    expect(pids).toContain("in effect: 20\n");
    expect(pids).toMatch(/last applied: \d{4}-.* ago\): max → 20\n/);
    expect(pids).not.toContain("last drift");

    const memory = explain("batch/web@0", "memory.max");
    expect(memory).toMatch(new RegExp(`in effect: 62500Ki, because of /${live.root}/batch\n`));
    expect(explain("batch", "memory.max")).toContain("rounding: the kernel makes 64000000 of 64000001");
    // Weights are told among neighbours.
    expect(explain("batch/web@0", "cpu.weight")).toMatch(/in effect: .* \(what is above has no say in it\)/);
    expect(row(explain("batch", "frozen"), "/batch")).toEqual(["false", "-", "the kernel's default"]);

    live.behind("pids", "batch", "pids.max", "41");
    expect(row(explain("batch", "pids.max"), "/batch")[0]).toBe("41 (differs)");
    live.holdfast("apply");
    const repaired = explain(live.cgroup("pids", "batch"), "pids.max");
    expect(repaired).toMatch(/last applied: .*: 41 → 40\n/);
    expect(repaired).toMatch(/last drift: .*: somebody had written 41\n/);
  });

  test("says what there is not, and does not look outside", () => {
    live.write(group("batch", "{limits: {pids.max: 40}}"));
    live.holdfast("apply");
    const refused = (...words: string[]): string => {
      const { code, stderr } = live.holdfast("explain", ...words);
      expect(code).toBe(1);
      return stderr;
    };
    expect(refused("batch", "pids.mx")).toContain("no kernel file here carries pids.mx (did you mean pids.max?)");
    expect(refused("nosuch", "pids.max")).toContain("there is no cgroup nosuch with pids.max here");
    expect(refused("../x", "pids.max")).toContain(`expected a cgroup below ${live.root}, found ../x`);
    expect(refused(live.cgroup("pids", "").replace(live.root, "other"), "pids.max")).toContain(`expected a cgroup below ${live.root}`);
  });
});
