#!/usr/bin/env -S node --
// The two dashes: Node would take an --env-file behind the program's name for its own (import docker run --env-file FILE).
import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { load, PROGRAM } from "./program.js";

if (!existsSync(PROGRAM)) {
  process.stderr.write("holdfast: not built yet: run npm install && npm run build (npm start and npm test do it by themselves)\n");
  process.exit(1);
}
// The controller lives long and shall stay small: it compiles only what it uses, and only what it does all day is worth V8's
// best code. Every other verb is over in a moment: it takes what V8 remembers of the program, and spends no time on
// collecting garbage; nor does one that waits longer, as top in a terminal, where that was 150 ms of CPU half a minute after
// its start. The flags come last, because what V8 remembers, of Node's own modules too, is good for the usual ones.
const long = process.argv.slice(2).includes("run");
const { main } = load(!long);
const flags = long ? ["--optimize-for-size", "--interrupt-budget=2000000"] : ["--semi-space-growth-factor=64", "--no-incremental-marking"];
for (const flag of flags) setFlagsFromString(flag);
const code = await main(process.argv.slice(2));
// Output to a pipe may still be on its way, and a full disk is told of a moment later.
await new Promise((written) => process.stdout.write("", written));
setImmediate(() => process.exit(code));
