/** Rotation under a writer, on this machine's file system: nothing is lost, and what is read back is what was written. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { buildSync } from "esbuild";
import { addMark, layoutOf } from "../../src/host/logIndex.ts";
import { attemptRange, positionAt, readLog, startOfTail } from "../../src/host/logReader.ts";
import { childrenOf, statOf } from "../../src/host/procfs.ts";
import { putAside, rotate, settle } from "../../src/host/rotate.ts";
import { sendPart } from "../../src/serve/logStream.ts";
import { end, until } from "../support/live.ts";

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

  test.each(["cut", "removed, and begun anew"] as const)("and is %s by somebody goes on at its new beginning", async (how) => {
    append(lines(0, 10_000));
    await rotate(log, 3);
    append(lines(10_000, 10_100));
    const end = await readLog(log, { from: 0, to: undefined }, () => {});
    if (how === "cut") truncateSync(log, 0);
    else rmSync(log);
    expect(await whole({ from: end, to: undefined })).toBe("");
    append("new\nlines\n");
    expect(await whole({ from: end, to: undefined })).toBe("new\nlines\n");
    expect(await whole({ from: await startOfTail(log, { from: end, to: undefined }, 1), to: undefined })).toBe("lines\n");
    const sent: string[] = [];
    const after = await sendPart(
      new ServerResponse(new IncomingMessage(new Socket())),
      log,
      { from: end, to: undefined },
      (bytes) => sent.push(String(bytes)) > 0,
    );
    append("more\n");
    expect([sent.join(""), await whole({ from: after, to: undefined })]).toEqual(["new\nlines\n", "more\n"]);
  });

  test("of less than a block is left alone", async () => {
    append("short\n");
    expect(await rotate(log, 3)).toBe("small");
    expect(await rotate(join(top, "none"), 3)).toBe("small");
    expect(readFileSync(log, "utf8")).toBe("short\n");
  });

  test("that its writer made as long as it liked takes no more room beside it", async () => {
    append("hello\n");
    truncateSync(log, 2 ** 43);
    append("more\n");
    const before = Date.now();
    expect(await rotate(log, 3)).toBe("rotated");
    expect(Date.now() - before).toBeLessThan(20_000);
    const { size, blocks } = statSync(`${log}.1`);
    expect(size).toBeGreaterThan(2 ** 42);
    expect(blocks * 512).toBeLessThan(8 * 2 ** 20);
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
  const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
  /** A controller with a program of the rotation that takes a second, before it does its work or afterwards; resolves when it is at it. */
  const busyWith = async (program: "rm" | "fallocate", slow: "before" | "after" = "before"): Promise<ChildProcess> => {
    const bin = join(top, "bin");
    mkdirSync(bin);
    const began = join(top, "began");
    const real = spawnSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).stdout.trim();
    const [first, then] = slow === "before" ? [`touch ${began}; sleep 1`, `exec ${real} "$@"`] : [`${real} "$@"`, `touch ${began}; sleep 1`];
    // Not while it is tried what the file system can do.
    writeFileSync(join(bin, program), `#!/bin/sh\ncase "$*" in *.probe*) exec ${real} "$@";; esac\n${first}\n${then}\n`, { mode: 0o755 });
    const module = join(top, "rotate.cjs");
    buildSync({ entryPoints: ["src/host/rotate.ts"], outfile: module, bundle: true, platform: "node", format: "cjs" });
    const child = spawn(process.execPath, ["-e", `void require(${JSON.stringify(module)}).rotate(${JSON.stringify(log)}, 3);`], {
      env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` },
      stdio: "inherit",
      detached: true,
    });
    for (const deadline = Date.now() + 20_000; !existsSync(began); await pause(5)) if (Date.now() > deadline) throw new Error(`${program} was not called`);
    return child;
  };
  const ended = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.once("exit", () => resolve()));
  /** As if the rotation had begun long ago. */
  const age = (): void => {
    const index = join(top, ".w.0.log.index");
    writeFileSync(
      index,
      readFileSync(index, "utf8").replaceAll(/^(rotating) (\d+)/gm, (_, what, time) => `${what} ${Number(time) - 60_000}`),
    );
    for (const name of readdirSync(top)) {
      const [, time, position] = /permit-(\d+)-(\d+)$/.exec(name) ?? [];
      if (time) renameSync(join(top, name), join(top, name.replace(`${time}-${position}`, `${Number(time) - 60_000}-${position}`)));
    }
  };
  const begin = async (): Promise<void> => {
    append(lines(0, 10_000));
    await rotate(log, 3);
    append(lines(10_000, 20_000));
  };

  test("before anything was taken out never happens: the next controller withdraws its permit, and begins its own", async () => {
    await begin();
    await end(await busyWith("rm"), "SIGKILL");
    append(lines(20_000, 30_000));
    expect(await rotate(log, 3)).toBe("rotated");
    append(lines(30_000, 40_000));
    expect(await rotate(log, 4)).toBe("rotated");
    // By now the old one would have done its work.
    await pause(1200);
    expect(await whole()).toBe(lines(0, 40_000));
  });

  test("while it is taken out goes on by itself, and is waited for", async () => {
    await begin();
    await end(await busyWith("fallocate"), "SIGKILL");
    append(lines(20_000, 30_000));
    expect(settle(log, 3)).toBe(false);
    expect(await whole()).toBe(lines(0, 30_000));
    expect(settle(log, 3)).toBe(true);
    expect(layoutOf(log).pieces.map(({ file }) => file.slice(log.length))).toEqual([".2", ".1", ""]);
    expect(await whole()).toBe(lines(0, 30_000));
  });

  test("goes on when the whole group is interrupted", async () => {
    await begin();
    const child = await busyWith("fallocate", "after");
    const gone = ended(child);
    process.kill(-(child.pid as number), "SIGINT");
    await gone;
    await until("it is over", () => settle(log, 3));
    expect(await whole()).toBe(lines(0, 20_000));
  });

  test.each(["before", "after"] as const)("with its shell, %s anything was taken out: nothing is lost", async (slow) => {
    await begin();
    const child = await busyWith("fallocate", slow);
    const shell = childrenOf(child.pid as number).find((pid) => statOf(pid)?.comm === "sh") as number;
    // The shell first: it would go on, or end by itself, without its child.
    const below = childrenOf(shell);
    for (const pid of [shell, ...below]) process.kill(pid, "SIGKILL");
    await end(child, "SIGKILL");
    expect(settle(log, 3)).toBe(false);
    age();
    expect(settle(log, 3)).toBe(true);
    const text = await whole();
    // Only of a collapsed range nobody can tell whether it was: what was copied may stand twice.
    const copied = readFileSync(`${log}.1`, "utf8");
    if (slow === "after" || text.length === lines(0, 20_000).length) expect(text).toBe(lines(0, 20_000));
    else expect(text.replace(copied, "")).toBe(lines(0, 20_000));
    expect(await rotate(log, 4)).not.toBe("unsupported");
    expect(await whole()).toBe(text);
  });

  test("is withdrawn once, wherever that was interrupted", async () => {
    await begin();
    const before = await whole();
    const mark = { what: "rotating", time: Date.now(), position: 400_000, offset: 0 } as const;
    for (const [withdrawn, copied] of [
      [false, true],
      [true, true],
      [true, false],
    ]) {
      addMark(log, mark);
      writeFileSync(join(top, `.w.0.log.permit-${mark.time}-400000${withdrawn ? "-withdrawn" : ""}`), "");
      if (copied) writeFileSync(`${log}.next`, "copied");
      expect(settle(log, 3)).toBe(true);
      expect(await whole()).toBe(before);
      expect(readdirSync(top).filter((name) => /permit|next/.test(name))).toEqual([]);
    }
  });
});

test("files go on by one, up to the first number that is free: also again, after an interruption", () => {
  const names = (): string[] => readdirSync(top).sort();
  for (const number of [1, 3]) writeFileSync(`${log}.${number}`, `${number}`);
  writeFileSync(`${log}.next`, "0");
  putAside(log, `${log}.next`, 5);
  expect(names()).toEqual(["w.0.log.1", "w.0.log.2", "w.0.log.3"]);
  expect([1, 2, 3].map((number) => readFileSync(`${log}.${number}`, "utf8"))).toEqual(["0", "1", "3"]);
  writeFileSync(`${log}.next`, "x");
  putAside(log, `${log}.next`, 4);
  expect([1, 2, 3].map((number) => readFileSync(`${log}.${number}`, "utf8"))).toEqual(["x", "0", "1"]);
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
