// Runs before npm start and npm test: installs and builds what is missing or out of date, and nothing else.
// Uses only Node itself, because it runs before anything is installed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`holdfast: needs Node 20.19 or later, this is ${process.version}`);
  process.exit(1);
}

/** Runs a step unless the digest of its inputs is the one that its stamp remembers. */
function step(name, stamp, inputs, output, run) {
  const file = join(top, stamp);
  if (existsSync(join(top, output)) && existsSync(file) && readFileSync(file, "utf8") === digestOf(inputs)) return;
  console.error(`holdfast: ${name} …`);
  run();
  mkdirSync(dirname(file), { recursive: true });
  // Of what there is now: npm may have written its lock file again.
  writeFileSync(file, digestOf(inputs));
}

function digestOf(inputs) {
  const hash = createHash("sha256");
  for (const file of inputs.flatMap(filesOf))
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(top, file)))
      .update("\0");
  return hash.digest("hex");
}

function filesOf(path) {
  if (!existsSync(join(top, path))) return [];
  if (!statSync(join(top, path)).isDirectory()) return [path];
  return readdirSync(join(top, path))
    .sort()
    .flatMap((name) => filesOf(`${path}/${name}`));
}

const run = (command, ...args) => execFileSync(command, args, { cwd: top, stdio: ["ignore", 2, 2] });
// Not `npm ci`: where a registry lacks the packages of other platforms, it refuses lock files that npm itself wrote.
step("installing dependencies", "node_modules/.holdfast-installed", ["package.json", "package-lock.json"], "node_modules", () =>
  run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error"),
);
step(
  "building",
  "dist/.holdfast-built",
  ["src", "page", "schemas", "bin/program.js", "scripts/build.js", "scripts/code.js", "scripts/generate.js", "package.json"],
  "dist/main.cjs",
  () => run(process.execPath, "scripts/build.js"),
);
