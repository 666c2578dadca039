import { expect, test } from "@jest/globals";
import { ManifestSet } from "../../src/reconcile/manifests.ts";
import { group, workload } from "../support/manifests.ts";

const file = (path: string, text: string) => ({ path, text });

test("an edit of one file tells the objects that are new, and anything more tells all", () => {
  const set = new ManifestSet("m");
  const [a, b] = [file("a.yaml", `${group("a")}---\n${group("b")}`), file("b.yaml", workload("w", "{command: [x], limitGroupRef: {name: a}}"))];
  expect(set.update([a, b])).toBe("all");
  expect(set.update([a, b])).toBeUndefined();
  const edited = file("a.yaml", `${group("a", "{limits: {pids.max: 5}}")}---\n${group("b")}`);
  expect(set.update([edited, b])).toEqual([expect.objectContaining({ key: "LimitGroup/a", limits: { "pids.max": "5" } })]);
  expect(set.manifests.resources.get("LimitGroup/a")?.limits).toEqual({ "pids.max": "5" });
  for (const more of [[edited], [edited, b, file("c.yaml", group("c"))], [file("a.yaml", group("a")), b], [file("a.yaml", "x: ["), b]])
    expect(set.update(more)).toBe("all");
  // While something is broken nothing takes the short way.
  expect(set.update([file("a.yaml", "y: ["), b])).toBe("all");
  expect(set.manifests).toMatchObject({ held: true });
  expect(set.update([edited, b])).toBe("all");
  expect(set.manifests).toMatchObject({ held: false, problems: [] });
});

test("an empty directory is taken for a mistake, unless it is meant", () => {
  const set = new ManifestSet("m");
  // Also at the first look: what is on the machine may be an earlier controller's work.
  set.update([]);
  expect(set.manifests).toMatchObject({ held: true, problems: [] });
  set.update([file("a.yaml", group("a"))]);
  set.update([]);
  expect(set.manifests).toMatchObject({ held: true, problems: [{ reason: "PruneHeld" }] });
  expect([...set.manifests.resources.keys()]).toEqual(["LimitGroup/a"]);
  const meant = new ManifestSet("m", true);
  meant.update([file("a.yaml", group("a"))]);
  meant.update([]);
  expect(meant.manifests).toMatchObject({ held: false, problems: [] });
  expect(meant.manifests.resources.size).toBe(0);
});
