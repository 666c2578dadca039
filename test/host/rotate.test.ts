/** Rotation under a writer, on this machine's file system: nothing is lost, and what is read back is what was written. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { buildSync } from "esbuild";
import { addMark, layoutOf } from "../../src/host/logIndex.ts";
import { attemptRange, positionAt, readLog, startOfTail } from "../../src/host/logReader.ts";
import { callOff, rotate } from "../../src/host/rotate.ts";

let top: string;
let log: string;
beforeEach(() => {
  top = mkdtempSync(join(process.env["HOLDFAST_TEST_LOGS"] ?? tmpdir(), "holdfast-rotate-"));
  log = join(top, "w.0.log");
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const whole = async (range = { from: 0, to: undefined as number | undefined }): Promise<string> => {
  const parts: Buffer[] = [];
  await readLog(log, range, (bytes) => parts.push(Buffer.from(bytes)));
  return Buffer.concat(parts).toString();
};
const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, index) => `line ${String(from + index).padStart(8, "0")}\n`).join("");
const append = (text: string): void => writeFileSync(log, text, { flag: "a" });

describe("a log that is rotated", () => {
  test("keeps so many files, and reads as one from what is kept", async () => {
    for (let round = 0; round < 4; round++) {
      append(lines(round * 10_000, (round + 1) * 10_000));
      expect(await rotate(log, 3)).toBe("rotated");
    }
    const { pieces } = layoutOf(log);
    expect(pieces.map(({ file }) => file.slice(top.length + 1))).toEqual(["w.0.log.2", "w.0.log.1", "w.0.log"]);
    const text = await whole();
    expect(text.endsWith(lines(39_000, 40_000))).toBe(true);
    expect(lines(0, 40_000).endsWith(text)).toBe(true);
    expect(await whole({ from: (pieces[0]?.from ?? 0) + 14, to: (pieces[0]?.from ?? 0) + 28 })).toBe(text.slice(14, 28));
    expect(statSync(`${log}.1`).mode & 0o777).toBe(0o640);
  });

  test("of less than a block is left alone", async () => {
    append("short\n");
    expect(await rotate(log, 3)).toBe("small");
    expect(await rotate(join(top, "none"), 3)).toBe("small");
    expect(readFileSync(log, "utf8")).toBe("short\n");
  });

  test("with one file alone forgets its beginning", async () => {
    append(lines(0, 10_000));
    expect(await rotate(log, 1)).toBe("rotated");
    expect(lines(0, 10_000).endsWith(await whole())).toBe(true);
    expect((await whole()).length).toBeLessThan(4097);
  });

  test("loses nothing while somebody writes all the time", async () => {
    const enough = join(top, "enough");
    const script = `const { existsSync, openSync, writeSync } = require("node:fs"); const fd = openSync(${JSON.stringify(log)}, "a");
      let line = 0; do writeSync(fd, "line " + String(line++).padStart(8, "0") + "\\n"); while (line < 5e6 && (line % 100 || !existsSync(${JSON.stringify(enough)})));
      console.log(line);`;
    const writer = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const count = new Promise<number>((resolve) => writer.stdout.once("data", (text: Buffer) => resolve(Number(text.toString()))));
    for (let rotations = 0; rotations < 5; ) {
      if ((statSync(log, { throwIfNoEntry: false })?.blocks ?? 0) * 512 > 100_000 && (await rotate(log, 1000)) === "rotated") rotations++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    writeFileSync(enough, "");
    const total = await count;
    expect(await whole()).toBe(lines(0, total));
  }, 60_000);
});

describe("a rotation of which the controller was killed", () => {
  /** A controller that is killed while this program of a rotation is at work; that program goes on a second later. */
  const killedAt = async (program: "rm" | "fallocate"): Promise<void> => {
    const bin = join(top, "bin");
    mkdirSync(bin);
    const began = join(top, "began");
    const real = spawnSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).stdout.trim();
    // Not while it is tried what the file system can do.
    writeFileSync(join(bin, program), `#!/bin/sh\ncase "$*" in *.probe*) exec ${real} "$@";; esac\ntouch ${began}\nsleep 1\nexec ${real} "$@"\n`, {
      mode: 0o755,
    });
    const module = join(top, "rotate.cjs");
    buildSync({ entryPoints: ["src/host/rotate.ts"], outfile: module, bundle: true, platform: "node", format: "cjs" });
    const child = spawn(process.execPath, ["-e", `void require(${JSON.stringify(module)}).rotate(${JSON.stringify(log)}, 3);`], {
      env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` },
      stdio: "inherit",
    });
    const gone = new Promise((resolve) => child.once("exit", resolve));
    for (const deadline = Date.now() + 20_000; !existsSync(began); await new Promise((resolve) => setTimeout(resolve, 5)))
      if (Date.now() > deadline) throw new Error(`${program} was not called`);
    child.kill("SIGKILL");
    await gone;
  };

  test("before anything was taken out never happens: the next controller calls it off", async () => {
    append(lines(0, 10_000));
    await rotate(log, 3);
    append(lines(10_000, 20_000));
    await killedAt("rm");
    append(lines(20_000, 30_000));
    expect(await rotate(log, 3)).toBe("rotated");
    append(lines(30_000, 40_000));
    // By now the old one would have done its work.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(await whole()).toBe(lines(0, 40_000));
  });

  test("while it is taken out goes on by itself, and is waited for", async () => {
    append(lines(0, 10_000));
    await killedAt("fallocate");
    append(lines(10_000, 20_000));
    expect(callOff(log)).toBe(false);
    expect(await whole()).toBe(lines(0, 20_000));
    expect(layoutOf(log).pieces).toHaveLength(2);
    expect(await rotate(log, 3)).toBe("rotated");
    expect(await whole()).toBe(lines(0, 20_000));
  });
});

test("attempts, times and tails are found over all pieces", async () => {
  const write = (from: number, to: number, time: number): void => {
    addMark(log, { what: "start", time, position: layoutOf(log).pieces.at(-1)?.to ?? 0, offset: 0 });
    append(lines(from, to));
  };
  write(0, 10_000, 1000);
  await rotate(log, 5);
  write(10_000, 20_000, 2000);
  await rotate(log, 5);
  write(20_000, 20_010, 3000);
  const layout = layoutOf(log);
  const range = (back: number) => attemptRange(layout, back) ?? { from: -1, to: undefined };
  expect(await whole(range(0) as { from: number; to: undefined })).toBe(lines(20_000, 20_010));
  expect(await whole(range(1) as { from: number; to: number })).toBe(lines(10_000, 20_000));
  expect(attemptRange(layout, 3)).toBeUndefined();
  const from = async (position: number): Promise<string> => (await whole({ from: position, to: undefined })).slice(0, 14);
  expect(await from(positionAt(layout, 2500))).toBe(lines(10_000, 10_001));
  expect(await from(positionAt(layout, 500))).toBe(lines(0, 1));
  const all = { from: 0, to: undefined };
  for (const [count, first] of [
    [1, 20_009],
    [11, 19_999],
    [15_000, 5010],
    [99_999, 0],
  ] as const)
    expect(await from(await startOfTail(log, all, count))).toBe(lines(first, first + 1));
  expect(await from(await startOfTail(log, all, 0))).toBe("");
  expect(await from(await startOfTail(log, range(1), 2))).toBe(lines(19_998, 19_999));
});
