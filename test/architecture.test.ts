/** The laws of the house: who imports whom, where each package lives, where v1 and v2 are told apart, how large a file may be. */
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, test } from "@jest/globals";

const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join("src", name));
const textOf = new Map(files.map((file) => [file, readFileSync(file, "utf8")]));
const folderOf = (file: string): string => (dirname(file) === "src" ? "main" : (file.split("/")[1] ?? ""));

/** From the top: a folder imports only from folders before it. */
const HOUSE = ["api", "manifest", "oci", "cgroup", "plan", "audit", "import", "host", "reconcile", "serve", "monitor", "cli", "main"];

const imports = (file: string): string[] => [...(textOf.get(file) ?? "").matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");

test("every folder is part of the house", () => {
  expect([...new Set(files.map(folderOf))].sort()).toEqual([...HOUSE].sort());
});

test("a folder imports only from the folders above it; manifest and cgroup do not see each other", () => {
  const broken = files.flatMap((file) =>
    imports(file)
      .filter((name) => name.startsWith("."))
      .map((name) => normalize(join(dirname(file), name)))
      .filter((target) => target.startsWith("src/"))
      .filter((target) => {
        const [from, to] = [folderOf(file), folderOf(target)];
        return from !== to && (HOUSE.indexOf(to) > HOUSE.indexOf(from) || (from === "cgroup" && to === "manifest"));
      })
      .map((target) => `${file} → ${target}`),
  );
  expect(broken).toEqual([]);
});

test("each package and each of Node's effectful modules has its home", () => {
  const homes: Readonly<Record<string, readonly string[]>> = {
    croner: ["src/api/schedule.ts"],
    picomatch: ["src/api/glob.ts"],
    yaml: ["src/manifest/yaml.ts", "src/cli/print.ts"],
    ajv: ["src/manifest/schemaProblems.ts"],
    leven: ["src/manifest/suggest.ts"],
    "fast-deep-equal": ["src/plan/same.ts"],
    chokidar: ["src/host/watchManifests.ts"],
    pino: ["src/cli/teller.ts"],
    picocolors: ["src/cli/print.ts"],
    "cli-table3": ["src/cli/print.ts"],
    "prom-client": ["src/serve/metrics.ts"],
    selfsigned: ["src/host/credentials.ts"],
    commander: ["src/main.ts", "src/program.ts"],
    "@bomb.sh/tab/commander": ["src/main.ts"],
  };
  const used = new Map<string, string[]>();
  for (const file of files)
    for (const name of imports(file)) if (!name.startsWith(".") && !name.startsWith("node:")) used.set(name, [...(used.get(name) ?? []), file]);
  for (const [name, places] of used) expect({ name, places: [...new Set(places)].sort() }).toEqual({ name, places: [...(homes[name] ?? [])].sort() });
  expect([...used.keys()].sort()).toEqual(Object.keys(homes).sort());
});

describe("what is pure stays pure", () => {
  const pure = files.filter((file) => ["api", "manifest", "oci", "cgroup", "plan", "audit", "import"].includes(folderOf(file)));
  const allowed = new Set(["node:crypto", "node:os", "node:module", "node:util", "node:v8"]);
  test("no effects are imported", () => {
    const effectful = pure.flatMap((file) =>
      imports(file)
        .filter((name) => name.startsWith("node:") && !allowed.has(name))
        .map((name) => `${file}: ${name}`),
    );
    expect(effectful).toEqual([]);
    expect(builtinModules).toContain("fs");
  });
  test("no clock, no process, no await", () => {
    const impure = pure.filter((file) =>
      /\bDate\.now\(|\bnew Date\(\)|\bprocess\.|\bawait\b|\basync\b|Math\.random/.test((textOf.get(file) ?? "").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")),
    );
    expect(impure).toEqual([]);
  });
});

test("v1 and v2 are told apart where the kernel's vocabulary is, and where its files are touched", () => {
  // What is imported says things by cgroup v1's names, or Docker's.
  const known = new Set(["src/cgroup", "src/host", "src/import"]);
  const elsewhere = files.filter(
    (file) =>
      !known.has(dirname(file)) &&
      /version === [12]\b|blkio|cfs_|limit_in_bytes|memsw|cpu\.shares|freezer|subtree_control/.test(
        (textOf.get(file) ?? "").replaceAll(/\/\*[\s\S]*?\*\//g, ""),
      ),
  );
  // What people may write instead of a limit's name is no knowledge of the kernel's.
  expect(elsewhere).toEqual(["src/api/limits.ts"]);
});

test("no file is over 250 lines, each begins with what it knows, and the median is under 100", () => {
  const linesIn = (file: string): number => (textOf.get(file) ?? "").trimEnd().split("\n").length;
  const lengths = files.map(linesIn).sort((a, b) => a - b);
  // The types of the kinds are generated, and as long as the schemas.
  expect(files.filter((file) => linesIn(file) > 250)).toEqual(["src/api/schema.ts"]);
  expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(100);
  expect(files.filter((file) => !/^\/\*\*[\s*]+Knows/.test(textOf.get(file) ?? ""))).toEqual([]);
});

test("no barrels, default exports, enums or module-level let; process.exit only at the edge", () => {
  const broken = files.flatMap((file) => {
    const text = textOf.get(file) ?? "";
    return [
      ...(/^export default|^export \* from|^(export )?(const )?enum |^let /m.test(text) ? [`${file}: default export, barrel, enum or module-level let`] : []),
      ...(/process\.exit\(/.test(text) && !["src/main.ts", "src/cli/run.ts"].includes(file) ? [`${file}: process.exit`] : []),
    ];
  });
  expect(broken).toEqual([]);
});

test("tests mirror the rooms", () => {
  const tests = readdirSync("test", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".test.ts"));
  const own = new Set(["live", "scenarios", "."]);
  const orphans = tests
    .filter((name) => !own.has(dirname(name)))
    .filter((name) => !files.includes(join("src", relative(".", name.replace(".test.ts", ".ts")))));
  expect(orphans).toEqual([]);
});
