/**
 * Stories: each folder holds what was there before (`before.yaml`, then `host.v1.txt`/`host.v2.txt`: what somebody did by
 * hand), what is declared now (`now.yaml`), and the expected plan as text for both cgroup versions. Every story also
 * proves convergence, independence of the order of documents, and that a broken document takes nothing away.
 * `UPDATE_SCENARIOS=1` writes the plans anew, to be read before they are committed.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Plan } from "../../src/plan/decision.ts";
import { linesOf, type Simulation, simulate } from "../support/simulated.ts";

const stories = readdirSync("test/scenarios", { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const read = (story: string, file: string): string =>
  existsSync(join("test/scenarios", story, file)) ? readFileSync(join("test/scenarios", story, file), "utf8") : "";

/** The plan as text: actions in their order, what is only reported, problems. */
function text({ actions, reported, problems }: Plan): string {
  const steady = (line: string): string => line.replaceAll(/process \d+/g, "process PID");
  return [
    ...linesOf(actions).map(steady),
    ...linesOf(reported).map((line) => `reported: ${line}`),
    ...problems.map(({ reason, object, message }) => `problem: ${reason} ${object ?? ""}: ${message}`),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

/** `path/file = value` writes behind Holdfast's back, `- path` removes a cgroup, `+ path` makes one. */
function byHand(simulation: Simulation, script: string): void {
  const { files, base, tree } = simulation.engine.host;
  for (const line of script.split("\n").filter((each) => each !== "" && !each.startsWith("#"))) {
    const [, sign, path = "", file, value] = /^(?:([-+]) (\S+)|(\S+) = (.*))$/.exec(line)
      ? (/^([-+]) (\S+)$/.exec(line) ?? [undefined, undefined, ...(/^(\S+)\/(\S+) = (.*)$/.exec(line) ?? []).slice(1)])
      : [];
    for (const hierarchy of base.controllers.all) {
      const directory = tree.directory(hierarchy, path);
      if (sign === "-") rmSync(directory, { recursive: true, force: true });
      else if (sign === "+") files.makeDirectory(directory);
      else if (file && files.read(join(directory, file)) !== undefined) files.write(join(directory, file), value ?? "");
    }
  }
}

describe.each(stories)("%s", (story) => {
  describe.each([1, 2] as const)("on cgroup v%i", (version) => {
    let simulation: Simulation;
    beforeEach(async () => {
      simulation = simulate(version);
      const before = read(story, "before.yaml");
      if (before) {
        simulation.load(before);
        await simulation.converge();
      }
      byHand(simulation, read(story, `host.v${version}.txt`));
    });
    afterEach(() => simulation.close());

    test("is planned as expected, and then there is nothing to do", async () => {
      simulation.load(read(story, "now.yaml"));
      const planned = text(simulation.engine.plan());
      const file = join("test/scenarios", story, `plan.v${version}.txt`);
      if (process.env["UPDATE_SCENARIOS"]) writeFileSync(file, planned);
      expect(planned).toBe(readFileSync(file, "utf8"));
      await simulation.converge();
      expect(linesOf(simulation.engine.plan().actions)).toEqual([]);
    });

    test("is the same plan in whatever order the documents stand", () => {
      const documents = read(story, "now.yaml").split(/^---\n/m);
      simulation.load(read(story, "now.yaml"));
      const sorted = (plan: Plan): string[] => [...linesOf(plan.actions)].sort();
      const planned = simulation.engine.plan();
      simulation.load([...documents].reverse().join("\n---\n"));
      const again = simulation.engine.plan();
      expect(sorted(again)).toEqual(sorted(planned));
      // The order of writes among cgroups is the same to the letter; only equal starts may change places.
      const writes = (plan: Plan): string[] => linesOf(plan.actions.filter(({ type }) => type === "write"));
      expect(writes(again)).toEqual(writes(planned));
    });

    test("takes nothing away while a document is broken", () => {
      simulation.load(`${read(story, "now.yaml")}\n---\nkind: [broken\n`);
      const taken = simulation.engine.plan().actions.filter(({ type }) => type === "remove" || type === "forget" || type === "kill");
      expect(linesOf(taken)).toEqual([]);
    });
  });
});
