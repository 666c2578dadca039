// Builds dist/: the types and validators from schemas/, then the sources as one script, and what V8 makes of it.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { validators } from "./generate.js";

const top = dirname(dirname(fileURLToPath(import.meta.url)));
await validators();
rmSync(join(top, "dist"), { recursive: true, force: true });
await build({
  absWorkingDir: top,
  entryPoints: ["src/main.ts"],
  outfile: "dist/main.cjs",
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20",
  // Loaded when first needed, from node_modules.
  external: ["yaml", "pino", "cli-table3", "prom-client", "selfsigned"],
  // import() of those becomes require(): from a script that V8 remembers there is no import().
  supported: { "dynamic-import": false },
  define: { "import.meta.url": "__url" },
  banner: { js: 'const __url = require("node:url").pathToFileURL(__filename).href;' },
  logLevel: "warning",
});
await buildPage();
execFileSync(process.execPath, ["scripts/code.js"], { cwd: top, stdio: "pipe" });

/** The dashboard, as one file that needs no other. */
async function buildPage() {
  const { outputFiles } = await build({
    ...{ absWorkingDir: top, entryPoints: ["page/page.ts"], bundle: true, format: "iife", platform: "browser", target: "es2022", minify: true, write: false },
    ...{ legalComments: "none", logLevel: "warning" },
  });
  const [script] = outputFiles.map(({ text }) => text.trim().replaceAll("</script", "<\\/script"));
  const read = (name) => readFileSync(join(top, "page", name), "utf8");
  // Not a string: a dollar sign in it would mean something.
  const page = read("page.html")
    .replace("/* page.css */", () => read("page.css").trim())
    .replace("/* page.js */", () => script ?? "");
  writeFileSync(join(top, "dist", "page.html"), page);
}
