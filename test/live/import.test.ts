/** `import`: manifests of what is there validate, and say what it says. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, whyNotLive } from "../support/live.ts";
import { Outside } from "../support/outside.ts";
import { has } from "../support/programs.ts";

(whyNotLive === undefined ? describe : describe.skip)("import", () => {
  let live: Live;
  let outside: Outside;
  beforeEach(() => {
    live = new Live();
    outside = new Outside(live.root);
    outside.handDown(["pids", "cpu", "memory"]);
    outside.make("web");
  });
  afterEach(async () => {
    await live.close();
    await outside.close();
  });

  const set = (controller: string, file: string, text: string): void => writeFileSync(join(outside.directory(controller, "web"), file), text, { flag: "r+" });
  /** A live cgroup with limits of several kinds. */
  const limitIt = (): void => {
    set("pids", "pids.max", "77");
    if (live.version("cpu") === 1) {
      set("cpu", "cpu.cfs_quota_us", "30000");
      set("cpu", "cpu.shares", "512");
      set("memory", "memory.limit_in_bytes", "104857600");
    } else {
      set("cpu", "cpu.max", "30000 100000");
      set("cpu", "cpu.weight", "50");
      set("memory", "memory.max", "104857600");
    }
  };
  test("a live cgroup, governed where it is: there is nothing to do; as one of Holdfast's own it says the same", async () => {
    limitIt();
    // Options stand before what is imported.
    const options = live.options;
    const governed = spawnSync(process.execPath, ["bin/holdfast.js", "import", ...options, "cgroup", outside.name], { encoding: "utf8" });
    expect(governed.stdout).toContain(`cgroupPath: ${outside.name}/web`);
    live.write(governed.stdout);
    expect(live.holdfast("validate").code).toBe(0);
    const plan = live.plan();
    expect({ actions: plan.actions.filter(({ path }) => path !== ""), problems: plan.problems }).toEqual({ actions: [], problems: [] });
    const own = spawnSync(process.execPath, ["bin/holdfast.js", "import", "--as", "own", ...options, "cgroup", `/${outside.name}/web`], { encoding: "utf8" });
    live.write(own.stdout);
    await live.apply();
    const path = `${outside.name}/${outside.name}-web`;
    const names =
      live.version("cpu") === 1 ? ["cpu.cfs_quota_us", "cpu.shares", "memory.limit_in_bytes", "pids.max"] : ["cpu.max", "cpu.weight", "memory.max", "pids.max"];
    for (const name of names) {
      const controller = name.split(".")[0] ?? "";
      expect([name, live.read(controller, path, name)]).toEqual([name, readFileSync(join(outside.directory(controller, "web"), name), "utf8").trim()]);
    }
  });

  const parser = has("cgconfigparser");
  (parser && whyNotLive === undefined && process.getuid?.() === 0 ? test : test.skip)(
    "a cgconfig.conf that cgconfigparser has put into force: there is nothing to do",
    () => {
      if (live.version("pids") !== 1) return;
      const file = join(live.directory, "cgconfig.conf");
      writeFileSync(
        file,
        `group ${outside.name}/made { pids { pids.max = 33; } cpu { cpu.shares = 256; cpu.cfs_quota_us = 50000; } memory { memory.limit_in_bytes = 64M; } }\n`,
      );
      expect(spawnSync("cgconfigparser", ["-l", file]).status).toBe(0);
      const { stdout } = spawnSync(process.execPath, ["bin/holdfast.js", "import", "--as", "governed", "cgconfig", file], { encoding: "utf8" });
      live.write(stdout);
      const plan = live.plan();
      expect({ actions: plan.actions.filter(({ path }) => path !== ""), problems: plan.problems }).toEqual({ actions: [], problems: [] });
      expect([...live.engine.desired.cgroups.keys()].filter((path) => path.startsWith("/"))).toEqual([`/${outside.name}/made`]);
    },
  );

  test("an env file of Docker's is named, and never read: not by Node either", () => {
    const args = ["import", "--root", live.root, "docker", "run", "--env-file", "/no/such", "img", "prog"];
    const { status, stdout } = spawnSync(join(process.cwd(), "bin/holdfast.js"), args, { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining("- file: /no/such") });
  });

  test("what cannot be imported is said in a line", () => {
    for (const [args, message] of [
      [["cgroup", "/"], "the root cgroup is never governed"],
      [["cgroup", "no/such"], "there is no cgroup no/such"],
      [["cgconfig", "/no/such"], "/no/such does not exist"],
      [["unit", "/dev/zero"], "/dev/zero is no regular file"],
      [["nosuch", "x"], "expected one of cgconfig, cgrules, unit, docker, compose, cgroup, found nosuch"],
      [["docker", "run"], "expected an image"],
    ] as const) {
      const { status, stderr, stdout } = spawnSync(process.execPath, ["bin/holdfast.js", "import", "--root", live.root, ...args], { encoding: "utf8" });
      expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: "", stderr: expect.stringContaining(message) });
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
  });
});
