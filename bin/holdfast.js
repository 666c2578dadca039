#!/usr/bin/env node
import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

// Before anything is allocated: the controller lives long and shall stay small; every other verb is over in a moment, and
// shall not spend a good part of it on collecting garbage.
const long = process.argv.slice(2).includes("run");
if (long) for (const flag of ["--max-semi-space-size=2", "--optimize-for-size"]) setFlagsFromString(flag);
else setFlagsFromString("--semi-space-growth-factor=64");

const built = new URL("../dist/main.js", import.meta.url);
if (!existsSync(built)) {
  process.stderr.write("holdfast: not built yet: run npm install && npm run build (npm start and npm test do it by themselves)\n");
  process.exit(1);
}
const { main } = await import(built.href);
const code = await main(process.argv.slice(2));
// Output to a pipe may still be on its way, and a full disk is told of a moment later.
await new Promise((written) => process.stdout.write("", written));
setImmediate(() => process.exit(code));
