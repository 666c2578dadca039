import { spawn } from "node:child_process";
import { afterEach, expect, test } from "@jest/globals";
import { watchProcesses } from "../../src/host/watchProcesses.ts";

const watch = watchProcesses();
afterEach(() => void watch.sync(new Map()));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("tells of an end once, also of a zombie's, and watches nothing that is gone", async () => {
  // The shell does not wait for its child: it stays a zombie.
  const shell = spawn("sh", ["-c", "sleep 0.5 & echo $!; exec sleep 15"], { stdio: ["ignore", "pipe", "ignore"] });
  const child = Number(await new Promise((resolve) => shell.stdout.once("data", (text: Buffer) => resolve(text.toString()))));
  expect(
    watch.sync(
      new Map([
        ["a", child],
        ["b", shell.pid ?? 0],
        ["gone", 2 ** 22],
      ]),
    ),
  ).toEqual(["a", "b"]);
  expect([watch.watches("a"), watch.watches("gone")]).toEqual([true, false]);
  expect([watch.ended(), watch.different()]).toEqual([[], []]);
  const ended = async (): Promise<readonly string[]> => {
    for (let waited = 0; waited < 200; waited++) {
      const names = watch.ended();
      if (names.length > 0) return names;
      await pause(20);
    }
    return [];
  };
  expect(await ended()).toEqual(["a"]);
  expect(watch.ended()).toEqual([]);
  expect(watch.sync(new Map([["b", shell.pid ?? 0]]))).toEqual([]);
  const gone = new Promise((resolve) => shell.once("exit", resolve));
  shell.kill("SIGKILL");
  await gone;
  expect(watch.ended()).toEqual(["b"]);
});

test("takes nothing that a parent does for a difference, unless it stops", async () => {
  const shell = spawn("sh", ["-c", "sleep 5 & echo $!; read line; kill $!; wait"], { stdio: ["pipe", "pipe", "ignore"] });
  const child = Number(await new Promise((resolve) => shell.stdout.once("data", (text: Buffer) => resolve(text.toString()))));
  const busy = spawn("sh", ["-c", `sleep 5 & echo $!; while test -d /proc/${child}; do :; done; wait`], { stdio: ["ignore", "pipe", "ignore"] });
  const below = Number(await new Promise((resolve) => busy.stdout.once("data", (text: Buffer) => resolve(text.toString()))));
  await pause(100);
  watch.sync(new Map([["a", below]]));
  shell.stdin.write("go on\n");
  // Busy until now, it waits from here on.
  await pause(300);
  expect(watch.different()).toEqual([]);
  process.kill(below, "SIGKILL");
  await new Promise((resolve) => busy.once("exit", resolve));
});

test("tells when a parent is in another state than before", async () => {
  const shell = spawn("sh", ["-c", "sleep 5 & echo $!; wait"], { stdio: ["ignore", "pipe", "ignore"] });
  const child = Number(await new Promise((resolve) => shell.stdout.once("data", (text: Buffer) => resolve(text.toString()))));
  // The shell is in wait(2) by then.
  await pause(300);
  watch.sync(new Map([["a", child]]));
  expect(watch.different()).toEqual([]);
  shell.kill("SIGSTOP");
  let names: readonly string[] = [];
  for (let waited = 0; waited < 200 && names.length === 0; waited++) {
    await pause(20);
    names = watch.different();
  }
  expect(names).toEqual(["a"]);
  expect(watch.watches("a")).toBe(false);
  process.kill(child, "SIGKILL");
  shell.kill("SIGKILL");
});
