import { expect, test } from "@jest/globals";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import type { Action } from "../../src/plan/action.ts";
import { apply } from "../../src/reconcile/apply.ts";

const create = (path: string, hierarchy = "cpu"): Action => ({ type: "create", owner: undefined, path: path as CgroupPath, hierarchy, cause: "pending" });
const write = (path: string, hierarchy = "cpu"): Action => ({
  type: "write",
  owner: undefined,
  path: path as CgroupPath,
  hierarchy,
  file: "f",
  key: "",
  knob: "pids.max",
  from: "a",
  to: "b",
  text: "b",
  declared: true,
  cause: "pending",
});
const start = (path: string): Action => ({
  type: "start",
  owner: undefined,
  path: path as CgroupPath,
  replica: { id: path } as never,
  reason: "first start",
  hierarchies: [],
  before: { starts: 0, restarts: 0, streak: 0 },
  record: { starts: 1, restarts: 0, streak: 0 },
  refused: { streak: 1 },
});
const refuse =
  (code: string, ...which: Action[]) =>
  (action: Action): void => {
    if (which.includes(action)) throw Object.assign(new Error("no"), { code });
  };
const fates = async (actions: Action[], perform: (action: Action) => Promise<void> | void): Promise<string[]> =>
  (await apply(actions, perform)).map(({ error, skipped }) => (error ? "refused" : skipped ? "skipped" : "done"));

test("a refusal is collected, and the rest goes on", async () => {
  const [one, two, three] = [write("a"), write("b"), write("c")];
  expect(await fates([one, two, three], refuse("EINVAL", two))).toEqual(["done", "refused", "done"]);
});

test("nothing is done in a cgroup that could not be made, or below it; other hierarchies go on", async () => {
  const actions = [create("a"), create("a/b"), write("a"), create("a", "memory"), write("a", "memory"), create("ab")];
  expect(await fates(actions, refuse("ENOSPC", actions[0] as Action))).toEqual(["refused", "skipped", "skipped", "done", "done", "done"]);
});

test("nothing starts where a limit of it or above it was refused", async () => {
  const actions = [write("a"), start("a/w@0"), start("b/w@0"), start("w@0")];
  expect(await fates(actions, refuse("EINVAL", actions[0] as Action))).toEqual(["refused", "skipped", "done", "done"]);
});

test("nothing starts again while what ran before may not be gone", async () => {
  const release = (replica: string): Action => ({ type: "release", owner: undefined, path: "" as CgroupPath, replica, attempt: `${replica}@1`, holder: 7 });
  const actions = [release("a/w@0"), release("b/w@0"), start("a/w@0"), start("b/w@0")];
  expect(await fates(actions, refuse("", actions[0] as Action))).toEqual(["refused", "done", "skipped", "done"]);
});

test("starts run side by side, everything else one after the other", async () => {
  let running = 0;
  let most = 0;
  const perform = async (action: Action): Promise<void> => {
    running++;
    if (action.type === "start") most = Math.max(most, running);
    else expect(running).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
  };
  await apply([write("a"), ...Array.from({ length: 20 }, (_, index) => start(`w@${index}`)), write("b")], perform);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(8);
});
