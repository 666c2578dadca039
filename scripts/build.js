// Builds dist/: the types and validators from schemas/, then the sources as small ESM bundles, one chunk a verb.
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { validators } from "./generate.js";

const top = dirname(dirname(fileURLToPath(import.meta.url)));
await validators();
rmSync(join(top, "dist"), { recursive: true, force: true });
await build({
  absWorkingDir: top,
  entryPoints: { main: "src/main.ts", engine: "src/reconcile/engine.ts" },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: true,
  // Loaded when first needed, from node_modules.
  external: ["yaml", "pino", "chokidar", "cli-table3", "@bomb.sh/tab"],
  banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  logLevel: "warning",
});
