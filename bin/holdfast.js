#!/usr/bin/env node
import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { load, PROGRAM } from "./program.js";

if (!existsSync(PROGRAM)) {
  process.stderr.write("holdfast: not built yet: run npm install && npm run build (npm start and npm test do it by themselves)\n");
  process.exit(1);
}
const { main } = load();
// The controller lives long and shall stay small; every other verb is over in a moment, and shall not spend a good part of
// it on collecting garbage. Only now: what V8 remembers, of Node's own modules too, is good for the usual flags alone.
const flags = process.argv.slice(2).includes("run") ? ["--max-semi-space-size=2", "--optimize-for-size", "--no-opt"] : ["--semi-space-growth-factor=64"];
for (const flag of flags) setFlagsFromString(flag);
const code = await main(process.argv.slice(2));
// Output to a pipe may still be on its way, and a full disk is told of a moment later.
await new Promise((written) => process.stdout.write("", written));
setImmediate(() => process.exit(code));
