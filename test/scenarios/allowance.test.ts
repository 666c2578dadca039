/** Whatever trees, names and manifests there are: no plan touches a cgroup that it has no leave to touch. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { globOf } from "../../src/api/glob.ts";
import { isForeign } from "../../src/cgroup/path.ts";
import type { Action } from "../../src/plan/action.ts";
import { group, workload } from "../support/manifests.ts";
import { simulate } from "../support/simulated.ts";

const NAMES = ["a", "b", "web", "system.slice", "x.service", "docker", "kubepods", "members"];
const name = fc.constantFrom(...NAMES);
/** Cgroups of others: paths from the top. */
const tree = fc.uniqueArray(
  fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join("/")}`),
  { maxLength: 8 },
);
/** What an earlier controller, or somebody, has left below the root. */
const leftovers = fc.uniqueArray(fc.constantFrom("a", "a/b", "web@0", "web@0/inner", "a/members", "old", "old/er"), { maxLength: 4 });
const limits = fc.constantFrom("{pids.max: 50}", "{memory.max: 64Mi, pids.max: 9}", "{cpu.max: 20%}", "{}");
const glob = fc.oneof(
  fc.array(fc.oneof(name, fc.constantFrom("*", "w*", "**")), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
  fc.constantFrom("holdfast", "holdfast/*", "holdfast/**", "**"),
);
const objects = fc.record({
  groups: fc.uniqueArray(fc.record({ name: fc.constantFrom("a", "b", "c"), parent: fc.option(fc.constantFrom("a", "b")), limits }), {
    selector: (one) => one.name,
    maxLength: 3,
  }),
  governed: fc.uniqueArray(fc.record({ name: fc.constantFrom("g", "h"), glob, limits }), { selector: (one) => one.name, maxLength: 2 }),
  web: fc.boolean(),
});
type Objects = typeof objects extends fc.Arbitrary<infer T> ? T : never;

const manifestOf = ({ groups, governed, web }: Objects): string =>
  [
    ...groups.map((one) => group(one.name, `{limits: ${one.limits}${one.parent ? `, parentRef: {name: ${one.parent}}` : ""}}`)),
    ...governed.map((one) => group(one.name, `{cgroupPath: "${one.glob}", limits: ${one.limits}}`)),
    ...(web ? [workload("web")] : []),
  ].join("---\n");

/** Why an action has no leave; undefined: it has. */
function trespass(action: Action, governed: readonly string[]): string | undefined {
  if (!("path" in action) || !isForeign(action.path)) return undefined;
  if (action.type === "ledger") return undefined;
  if (action.type !== "write") return `${action.type} of a foreign cgroup`;
  if (action.path === "/" || `${action.path}/`.startsWith("/holdfast/")) return "the root, or Holdfast's own";
  if (!action.governing) return "a write that nothing is kept of";
  if (action.governing.over) return undefined; // what was written before, taken back
  if (!action.declared) return "a value that nobody declared";
  if (action.path.split("/").some((part) => part.startsWith("kubepods"))) return "the kubelet's";
  return governed.some((one) => globOf(one)(action.path.slice(1))) ? undefined : "no manifest names it";
}

describe.each([1, 2] as const)("cgroup v%i", (version) => {
  test("no plan touches what it has no leave to", async () => {
    await fc.assert(
      fc.asyncProperty(tree, leftovers, objects, objects, async (foreign, left, first, second) => {
        const simulation = simulate(version);
        try {
          const { host } = simulation.engine;
          for (const { mount } of host.base.controllers.all) {
            for (const path of foreign)
              for (const part of path
                .split("/")
                .slice(1)
                .map((_, index, parts) => parts.slice(0, index + 1).join("/")))
                host.files.makeDirectory(`${mount}/${part}`);
            for (const path of left)
              for (const part of path.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/")))
                host.files.makeDirectory(`${mount}/holdfast/${part}`);
          }
          for (const objectsNow of [first, second, { groups: [], governed: [], web: false }]) {
            simulation.load(manifestOf(objectsNow));
            const plan = simulation.engine.plan();
            const governed = objectsNow.governed.map((one) => one.glob);
            for (const action of [...plan.actions, ...plan.reported]) expect({ action, why: trespass(action, governed) }).toEqual({ action, why: undefined });
            await simulation.converge();
          }
          for (const path of foreign) for (const { mount } of host.base.controllers.all) expect(host.files.children(`${mount}${path}`)).toBeDefined();
        } finally {
          simulation.close();
        }
      }),
      { numRuns: 60 },
    );
  });
});
