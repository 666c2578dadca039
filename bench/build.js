// Knows how to build what is measured besides dist/: the C baseline, and a process with Holdfast's engine inside.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const top = dirname(dirname(fileURLToPath(import.meta.url)));
export const BASELINE = join(top, "bench/out/baseline");
export const ENGINE_PROCESS = join(top, "bench/out/engineProcess.js");
export const HOLDFAST = join(top, "bin/holdfast.js");

/** Builds both; the bundle has the settings of scripts/build.js. */
export async function buildMeasured() {
  mkdirSync(dirname(BASELINE), { recursive: true });
  execFileSync(process.env.CC ?? "gcc", ["-O2", "-Wall", "-o", BASELINE, join(top, "bench/baseline.c")], { stdio: ["ignore", 2, 2] });
  await build({
    absWorkingDir: top,
    entryPoints: ["bench/inside/engineProcess.js"],
    outfile: ENGINE_PROCESS,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: true,
    external: ["yaml", "pino", "chokidar", "cli-table3", "@bomb.sh/tab"],
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
    logLevel: "warning",
  });
}
