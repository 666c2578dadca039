// Knows how to bring the built program to life. With what V8 made of it when it was built, this Node need not parse and
// compile it again. V8 refuses what another version of it, or one with other flags, has made.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

export const PROGRAM = fileURLToPath(new URL("../dist/main.cjs", import.meta.url));
export const CODE = `${PROGRAM}.code`;

/** The program's main(), and its script. `remembered`: with what V8 made of it before, which costs 3 MB of memory. */
export function load(remembered = false) {
  const text = `(function (exports, require, module, __filename, __dirname) { ${readFileSync(PROGRAM, "utf8")}\n})`;
  const script = new Script(text, { filename: PROGRAM, cachedData: remembered && existsSync(CODE) ? readFileSync(CODE) : undefined });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(PROGRAM), module, PROGRAM, dirname(PROGRAM));
  return { main: module.exports.main, script };
}
