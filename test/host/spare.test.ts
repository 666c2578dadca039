/** Shells that were started before: they become what they are told, word for word, and outlive nobody. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { buildSync } from "esbuild";
import { childrenOf, statOf } from "../../src/host/procfs.ts";
import { Spare } from "../../src/host/spare.ts";
import { until } from "../support/live.ts";

let top: string;
let file: string;
let output: number;
let spare: Spare;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-spare-"));
  file = join(top, "it's out");
  output = openSync(file, "a");
  spare = new Spare();
});
afterEach(() => {
  spare.close();
  closeSync(output);
  rmSync(top, { recursive: true, force: true });
});

const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once("exit", resolve));
const ODD = ["", "a b", "it's", '"$HOME"', "line\nline", "`id`", "\\", "*", "ü", "$(id)", "# no comment", "-n"];
const told = (): string => readFileSync(file, "utf8");

describe.each([
  ["that waited", true],
  ["of its own", false],
])("a shell %s", (_, waited) => {
  test("gets its words, its variables, its place and its output, exactly", async () => {
    if (waited) spare.prepare();
    const before = childrenOf(process.pid).length;
    const script = 'printf "<%s>\\n" "$0" "$@"; printf "[%s]" "$A" "$B"; pwd; cat; ps -o sid= -p $$ | grep -qw $$ && echo session; exit 7';
    const child = spare.start({ program: ["/bin/sh"], args: ["-c", script, "name", ...ODD], env: { PATH: "/usr/bin:/bin", A: "it's\n1", B: "" }, output });
    expect(childrenOf(process.pid).length - before).toBe(waited ? 0 : 1);
    expect(await ended(child)).toBe(7);
    expect(told()).toBe(`${["name", ...ODD].map((word) => `<${word}>\n`).join("")}[it's\n1][]/\nsession\n`);
  });
  test("has no variables but those, and shows its words as any other", async () => {
    if (waited) spare.prepare();
    const child = spare.start({
      program: ["/bin/sh"],
      args: ["-c", "tr '\\0' '\\n' </proc/$$/environ; sleep 60; :", "name", "x"],
      env: { PATH: "/usr/bin:/bin", PWD: "/usr", SECRET: "1" },
      output,
    });
    await until("it wrote", () => told().includes("SECRET=1"));
    expect(told().trim().split("\n").sort()).toEqual(["PATH=/usr/bin:/bin", "PWD=/usr", "SECRET=1"]);
    expect(readFileSync(`/proc/${child.pid}/cmdline`, "utf8").split("\0")).toEqual(["/bin/sh", "-c", expect.any(String), "name", "x", ""]);
    process.kill(-(child.pid as number), "SIGKILL");
    await ended(child);
  });
});

test("one that was killed meanwhile, and one for too many words, are replaced", async () => {
  spare.prepare();
  const [pid] = childrenOf(process.pid).slice(-1);
  process.kill(pid as number, "SIGKILL");
  expect(await ended(spare.start({ program: ["/bin/sh"], args: ["-c", "exit 3"], env: {}, output }))).toBe(3);
  spare.prepare();
  expect(await ended(spare.start({ program: ["/bin/sh"], args: ["-c", 'exit "$#"', "name", "x".repeat(100_000)], env: {}, output }))).toBe(1);
});

test("ends when the process that keeps it is killed", async () => {
  const module = join(top, "spare.cjs");
  buildSync({ entryPoints: ["src/host/spare.ts"], outfile: module, bundle: true, platform: "node", format: "cjs" });
  const keeper = spawn(process.execPath, ["-e", `new (require(${JSON.stringify(module)}).Spare)().prepare(); setInterval(() => {}, 1000);`], {
    stdio: "inherit",
  });
  const pid = await until("it waits", () => childrenOf(keeper.pid as number).find((child) => statOf(child)?.comm === "sh"));
  keeper.kill("SIGKILL");
  await until("it is gone", () => /^[ZX]?$/.test(statOf(pid)?.state ?? ""));
});
