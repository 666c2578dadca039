import { beforeEach, describe, expect, test } from "@jest/globals";
import { ManifestSet } from "../../src/reconcile/manifests.ts";
import { group, workload } from "../support/manifests.ts";

const file = (path: string, text: string) => ({ path, text });

test("an edit of one file tells the objects that are new, and anything more tells all", () => {
  const set = new ManifestSet("m");
  const [a, b] = [file("a.yaml", `${group("a")}---\n${group("b")}`), file("b.yaml", workload("w", "{command: [x], limitGroupRef: {name: a}}"))];
  expect(set.update([a, b])).toBe("all");
  expect(set.update([a, b])).toBeUndefined();
  const edited = file("a.yaml", `${group("a", "{limits: {pids.max: 5}}")}---\n${group("b")}`);
  expect(set.update([edited, b])).toEqual([
    {
      before: expect.objectContaining({ key: "LimitGroup/a", limits: {} }),
      after: expect.objectContaining({ key: "LimitGroup/a", limits: { "pids.max": "5" } }),
    },
  ]);
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
  const meant = new ManifestSet("m", { forcePrune: true });
  meant.update([file("a.yaml", group("a"))]);
  meant.update([]);
  expect(meant.manifests).toMatchObject({ held: false, problems: [] });
  expect(meant.manifests.resources.size).toBe(0);
});

test("most objects gone at once are held until they are back, or it is meant", () => {
  const names = ["a", "b", "c", "d", "e"];
  const files = names.map((name) => file(`${name}.yaml`, group(name)));
  const set = new ManifestSet("m");
  set.update(files);
  set.update([...files.slice(3), file("f.yaml", group("f"))]);
  expect(set.manifests).toMatchObject({ held: true, problems: [{ reason: "PruneHeld", message: expect.stringMatching(/3 of 5 objects are gone at once/) }] });
  expect([...set.manifests.resources.values()].map(({ name }) => name).sort()).toEqual([...names, "f"]);
  set.update(files.slice(1));
  expect(set.manifests).toMatchObject({ held: false, problems: [] });
  expect(set.manifests.resources.size).toBe(4);
  // Half of them, or two, is no landslide.
  set.update(files.slice(3));
  expect(set.manifests).toMatchObject({ held: false });
  const meant = new ManifestSet("m", { forcePrune: true });
  meant.update(files);
  meant.update(files.slice(4));
  expect(meant.manifests.resources.size).toBe(1);
});

test("what was in force before a restart stays in force while it is broken or gone", () => {
  const files = ["a", "b", "c"].map((name) => file(`${name}.yaml`, group(name)));
  const first = new ManifestSet("m");
  first.update(files);
  const before = { keys: [...first.manifests.resources.keys()], load: () => first.manifests };
  const next = new ManifestSet("m", { before });
  next.update([file("a.yaml", "kind: ["), ...files.slice(1)]);
  expect(next.manifests).toMatchObject({ held: true });
  expect(next.manifests.resources.size).toBe(3);
  const empty = new ManifestSet("m", { before });
  empty.update([]);
  expect(empty.manifests).toMatchObject({ held: true, problems: [{ reason: "PruneHeld" }] });
  // What goes while something else is broken is found gone when all is whole again.
  next.update([file("a.yaml", "kind: ["), ...files.slice(2)]);
  expect(next.manifests.resources.size).toBe(3);
  next.update([...files.slice(0, 1), ...files.slice(2)]);
  expect([...next.manifests.resources.keys()]).toEqual(["LimitGroup/a", "LimitGroup/c"]);
});

describe("while the tree is not calm", () => {
  const hasty = { calm: false };
  const text = (limit: number, ...names: string[]): string =>
    [group("g", `{limits: {pids.max: ${limit}}}`), ...names.map((name) => workload(name, "{command: [x], replicas: 2, limitGroupRef: {name: g}}"))].join(
      "---\n",
    );
  let set: ManifestSet;
  const state = (): Record<string, string> =>
    Object.fromEntries(
      [...set.manifests.resources.values()].map((resource) => [
        resource.name,
        resource.kind === "Workload" ? `${resource.run.argv.join(" ")} x${resource.run.replicas}` : String(resource.limits["pids.max"]),
      ]),
    );
  const all = { g: "5", a: "x x2", b: "x x2" };
  beforeEach(() => {
    set = new ManifestSet("m");
    set.update([file("m.yaml", text(5, "a", "b"))]);
    expect(state()).toEqual(all);
  });

  test("what a changed file does not declare any more stays, its limits follow; when it is calm, it goes", () => {
    const cut = file("m.yaml", text(7, "a"));
    set.update([cut], hasty);
    expect(state()).toEqual({ ...all, g: "7" });
    expect(set.lingers).toBe(true);
    expect(set.manifests).toMatchObject({ held: false, problems: [] });
    set.update([file("m.yaml", text(7, "a", "b"))], hasty);
    expect([state(), set.lingers]).toEqual([{ ...all, g: "7" }, false]);
    set.update([cut], hasty);
    expect(set.update([cut], hasty)).toBeUndefined();
    expect(set.update([cut])).toBe("all");
    expect([state(), set.lingers]).toEqual([{ g: "7", a: "x x2" }, false]);
  });

  test("also when the file was broken before, and when it is broken in between", () => {
    set.update([file("m.yaml", `[\n---\n${text(5, "a", "b")}`)], hasty);
    set.update([file("m.yaml", text(5))], hasty);
    expect(state()).toEqual(all);
    set.update([file("m.yaml", `${text(5)}---\nkind: Workload\nmetadata: {na`)], hasty);
    expect(state()).toEqual(all);
  });

  test("a workload is not started anew, scaled down or moved; it is when all is calm", () => {
    const other = file("m.yaml", text(5, "a", "b").replaceAll("[x], replicas: 2", "[y]"));
    set.update([other], hasty);
    expect(state()).toEqual(all);
    set.update([other]);
    expect(state()).toEqual({ g: "5", a: "y x1", b: "y x1" });
  });

  test("a vanished file stays, unless its objects are found elsewhere", () => {
    expect(set.update([], hasty)).toBeUndefined();
    expect([state(), set.lingers]).toEqual([all, true]);
    set.update([file("n.yaml", text(6, "a", "b"))], hasty);
    expect(state()).toEqual({ ...all, g: "6" });
    expect(set.manifests.problems).toEqual([]);
    set.update([file("n.yaml", text(6, "a"))], hasty);
    set.update([file("n.yaml", text(6, "a"))]);
    expect(state()).toEqual({ g: "6", a: "x x2" });
  });

  test("what was renamed into place is whole, and counts at once", () => {
    set.update([{ ...file("m.yaml", text(5, "a")), whole: true }], hasty);
    expect(state()).toEqual({ g: "5", a: "x x2" });
  });

  test("at a start, too: what the last controller had in force stays", () => {
    const before = { keys: [...set.manifests.resources.keys()], load: () => set.manifests };
    const next = new ManifestSet("m", { before });
    next.update([file("m.yaml", text(5))], hasty);
    expect(next.manifests.resources.size).toBe(3);
    const none = new ManifestSet("m", { before });
    none.update([file("other.yaml", group("h"))], hasty);
    expect(none.manifests).toMatchObject({ held: false, problems: [] });
    expect(none.manifests.resources.size).toBe(4);
  });
});
