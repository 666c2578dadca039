#!/usr/bin/env node
import { existsSync } from "node:fs";

const built = new URL("../dist/main.js", import.meta.url);
if (!existsSync(built)) {
  process.stderr.write("holdfast: not built yet: run npm install && npm run build (npm start and npm test do it by themselves)\n");
  process.exit(1);
}
const { main } = await import(built.href);
const code = await main(process.argv.slice(2));
// Output to a pipe may still be on its way.
if (process.stdout.writableLength === 0) process.exit(code);
process.stdout.once("drain", () => process.exit(code));
