/** `holdfast top` in a terminal: keys, and that what they bring into sight is told in full at once. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, until, whyNotLive } from "../support/live.ts";
import { group } from "../support/manifests.ts";
import { has } from "../support/programs.ts";

const NAMES = Array.from({ length: 12 }, (_, index) => `g${String(index).padStart(2, "0")}`);

(whyNotLive === undefined && has("script") ? describe : describe.skip)("top in a terminal", () => {
  let live: Live;
  let terminal: ChildProcess | undefined;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(async () => {
    terminal?.kill("SIGKILL");
    await live.close();
  });

  /** Opens it in eight lines, of which five are groups. */
  const opened = (...words: string[]) => {
    const command = [process.execPath, "bin/holdfast.js", "top", ...words, ...live.options].join(" ");
    const child = spawn("script", ["-qec", `stty rows 8 cols 150; exec ${command}`, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
    terminal = child;
    let output = "";
    child.stdout.on("data", (text) => (output += text));
    const ended = new Promise((resolve) => child.once("exit", resolve));
    /** The lines of what was drawn last, whole. */
    const screen = (): readonly string[] => {
      const drawn = output.split("\u001b[H").filter((one) => one.includes("\u001b[J"));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they begin with
      return (drawn.at(-1) ?? "").split("\r\n").map((line) => line.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, ""));
    };
    return { screen, type: (keys: string) => child.stdin.write(keys), ended, child };
  };
  const named = (line: string | undefined): string | undefined => /^g\d\d/.exec(line ?? "")?.[0];

  test("scrolls, sorts and filters; q ends it", async () => {
    await live.started(NAMES.map((name, index) => group(name, `{limits: {pids.max: ${50 + index}}}`)).join("---\n"));
    // Long: nothing of this waits for the next look.
    const { screen, type, ended } = opened("--sort", "name", "--interval", "60s");
    const shown = (...names: string[]) => until(`${names} are shown`, () => screen().slice(2, 7).map(named).join() === names.join());
    const full = () =>
      until("all is told of each", () =>
        screen()
          .filter(named)
          .every((line) => / 0\/\d\d /.test(line)),
      );
    await shown("g00", "g01", "g02", "g03", "g04");
    await full();
    type("\u001b[B\u001b[B");
    await shown("g02", "g03", "g04", "g05", "g06");
    await full();
    expect(screen()[2]).toMatch(/^g02 .* 0\/52 /);
    type("\u001b[6~");
    await shown("g06", "g07", "g08", "g09", "g10");
    await full();
    type("/11\r");
    await until("one is left", () => named(screen()[2]) === "g11" && screen()[0]?.includes("1 objects"));
    await full();
    type("s");
    await until("it is sorted by CPU", () => screen()[0]?.includes("by cpu  filter: 11"));
    type("q");
    expect(await ended).toBe(0);
  });

  test("follows the manifests, and ends with its terminal", async () => {
    await live.started(NAMES.map((name) => group(name, "{limits: {pids.max: 50}}")).join("---\n"));
    const { screen, child } = opened("--sort", "name", "--interval", "200ms");
    await until("the first is shown", () => screen().some((line) => /^g00 .* 0\/50 /.test(line)));
    live.write(
      NAMES.slice(1)
        .map((name) => group(name, "{limits: {pids.max: 77}}"))
        .join("---\n"),
    );
    await until("the new limit is shown", () => screen().some((line) => /^g01 .* 0\/77 /.test(line)));
    expect(screen().some((line) => line.startsWith("g00"))).toBe(false);
    const [pid] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ");
    // The other end of the terminal is gone with it.
    child.kill("SIGKILL");
    await until("it has ended", () => !existsSync(`/proc/${pid}`));
  });
});
