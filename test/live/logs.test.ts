/** What a workload writes, under rotation, and what `holdfast logs` makes of it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, PATIENCE, until, whyNotLive } from "../support/live.ts";
import { workload } from "../support/manifests.ts";

/** Lines a second, and rotations; fewer where the machine is emulated. */
const RATE = Number(process.env["HOLDFAST_TEST_LINES"] ?? 500_000);
const ROTATIONS = RATE < 500_000 ? 3 : 10;

(whyNotLive === undefined ? describe : describe.skip)("logs", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await live.close();
  });
  const printed = async (...args: string[]): Promise<string> => {
    const child = spawn(process.execPath, ["bin/holdfast.js", "logs", ...args, ...live.options.with(0, "--filename")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const parts: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => parts.push(chunk));
    await new Promise((resolve) => child.once("close", resolve));
    return Buffer.concat(parts).toString();
  };

  test(`a writer of ${RATE} lines a second loses none over ${ROTATIONS} rotations`, async () => {
    const program = join(live.directory, "writer.cjs");
    const enough = join(live.directory, "enough");
    // A hundred lines in a write, so many a second, until it is enough.
    writeFileSync(
      program,
      `const { existsSync, writeSync } = require("node:fs"); const began = performance.now(); let at = 0;
       for (; at < 2e7 && (at % 10000 || !existsSync(${JSON.stringify(enough)})); at += 100) {
         let text = ""; for (let line = at; line < at + 100; line++) text += "line " + String(line).padStart(9, "0") + "\\n";
         writeSync(1, text);
         while (at / (performance.now() - began) > ${RATE / 1000});
       }
       writeSync(1, "end " + at + "\\n");
       setInterval(() => {}, 1000);`,
    );
    await live.started(workload("w", `{command: [${process.execPath}, ${program}], logs: {maxSize: 1Mi, maxFiles: 100}}`));
    const directory = join(live.logDirectory, "w");
    await until("it is rotated often enough", () => existsSync(join(directory, `w.0.log.${ROTATIONS}`)), 120_000);
    writeFileSync(enough, "");
    await until("it has ended", () => /end \d+\n$/.test(live.log("w")), 60_000);
    const lines = (await printed("w")).trimEnd().split("\n");
    expect(lines.pop()).toBe(`end ${lines.length}`);
    expect(lines.findIndex((line, index) => line !== `line ${String(index).padStart(9, "0")}`)).toBe(-1);
  }, 300_000);

  test("show a last line that has no end, with a prefix too; and no other file by a link", async () => {
    await live.started(workload("w", "{command: [sh, -c, 'echo one; printf last'], restartPolicy: Never}"));
    await until("it has ended", () => live.log("w").endsWith("last"));
    expect([await printed("w"), await printed("w", "--prefix")]).toEqual(["one\nlast", "w@0 | one\nw@0 | last\n"]);
    symlinkSync("/etc/hostname", join(live.logDirectory, "w", "w.1.log"));
    expect(await printed("w", "--replica", "1")).toBe("");
  });

  test("of the last attempt, the one before, all replicas, the last lines, and what comes", async () => {
    await live.started(workload("w", "{command: [sh, -c, 'echo start $(HOLDFAST_ORDINAL); echo pid $$$$; sleep 2; echo more; exec sleep 300'], replicas: 2}"));
    await until("both wrote", () => [0, 1].every((ordinal) => live.log("w", ordinal).includes("more")));
    expect(await printed("w", "--replica", "1")).toMatch(/^start 1\npid \d+\nmore\n$/);
    expect(await printed("w")).toMatch(/^w@0 \| start 0\nw@0 \| pid \d+\nw@0 \| more\nw@1 \| start 1\nw@1 \| pid \d+\nw@1 \| more\n$/);
    expect(await printed("w", "--replica", "0", "--tail", "1")).toBe("more\n");
    const before = live.pid("w", 0);
    const followed = spawn(
      process.execPath,
      ["bin/holdfast.js", "logs", "w", "--follow", "--replica", "0", "--tail", "0", ...live.options.with(0, "--filename")],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    children.push(followed);
    let text = "";
    followed.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await new Promise((resolve) => setTimeout(resolve, 1500 * PATIENCE));
    process.kill(before, "SIGKILL");
    await until("it follows", () => /^start 0\npid \d+\nmore\n$/.test(text), 15_000);
    expect(await printed("w", "--replica", "0", "--previous")).toContain(`pid ${before}\n`);
    expect(await printed("w", "--replica", "0")).not.toContain(`pid ${before}\n`);
    expect(await printed("w", "--replica", "0", "--since", "1h")).toContain(`pid ${before}\n`);
    const again = live.pid("w", 0);
    rmSync(join(live.logDirectory, "w", "w.0.log"));
    process.kill(again, "SIGKILL");
    await until("it follows the new log where somebody removed it", () => /^(start 0\npid \d+\nmore\n){2}$/.test(text), 15_000);
    followed.kill("SIGINT");
    await new Promise((resolve) => followed.once("exit", resolve));
    expect(statSync(join(live.logDirectory, "w", "w.0.log")).mode & 0o777).toBe(0o640);
  });

  test("of a replica that there is not are not waited for", async () => {
    await live.started(workload("w", "{command: [sleep, '300'], replicas: 2}"));
    const words = ["bin/holdfast.js", "logs", "w", "--follow", "--replica", "9", ...live.options.with(0, "--filename")];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8", timeout: 60_000 });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/w\.9\.log does not exist: w has 2 replicas, 0 to 1\n$/)]);
  });

  test("to a journal that is not there keep the workload from starting, and say why", async () => {
    const { told } = await live.started(workload("w", "{command: [sleep, '300'], logs: journald}"));
    if (live.view("w").status.replicaStatuses?.[0]?.state.running) return; // systemd runs here: the packaging suite looks at its journal
    await until("it is told", () => told().some((line) => /StartFailed: .*journald/.test(line)));
  });
});
