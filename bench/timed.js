// Knows how long a whole process takes, from fork to exit, and what it costs: CPU and memory, as wait4(2) tells.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BASELINE } from "./build.js";
import { directory, finish } from "./sandbox.js";

/** @returns {{ ms: number, cpuMs: number, rssMiB: number }} */
export function timed(command, words, allowed = [0]) {
  const result = join(directory, "timed");
  finish(BASELINE, ["run", result, command, ...words]);
  const [wall, user, system, rss, status] = readFileSync(result, "utf8").split(" ").map(Number);
  if (!allowed.includes(status)) throw new Error(`${command} ${words.join(" ").slice(0, 200)} ended with ${status}`);
  return { ms: wall / 1000, cpuMs: (user + system) / 1000, rssMiB: rss / 1024 };
}
