// Writes the generated blocks of docs/ again: field tables from schemas/, the knob table and the usage of each verb from
// src/. `--check` writes nothing and fails when a block is not current. A block stands between
// `<!-- generated: NAME -->` and `<!-- end -->`.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { stringify } from "yaml";

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const schemaFile = (name) => JSON.parse(readFileSync(join(top, "schemas", name), "utf8"));

/** What the tables are made of, from the sources as they are now (dist/ may be older). */
async function fromSources() {
  const main = join(top, "src", "program.ts");
  const { outputFiles } = await build({
    stdin: {
      contents:
        'export { knobTable } from "./src/cgroup/knobs.ts"; export { buildProgram } from "./src/program.ts"; export { CHECKS } from "./src/audit/checks.ts"; export { structuralOf } from "./src/serve/structural.ts"; export { LIMIT_GROUPS, WORKLOADS } from "./src/serve/kinds.ts";',
      resolveDir: top,
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    external: ["./cli/*", "@bomb.sh/tab"],
    // The bundle is imported from memory: it must know where it would be.
    define: { "import.meta.url": JSON.stringify(pathToFileURL(main).href) },
    banner: { js: `import { createRequire } from "node:module"; const require = createRequire(${JSON.stringify(main)});` },
    logLevel: "error",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString("base64")}`);
}

/** A schema without its $ref, and the file that its own references are relative to. */
function resolve(schema, file) {
  if (!schema.$ref) return { schema, file };
  const [other, path = ""] = schema.$ref.split("#");
  const target = other || file;
  const { $ref: _, ...beside } = schema;
  const found = path
    .split("/")
    .slice(1)
    .reduce((here, part) => here[part], schemaFile(target));
  return resolve({ ...found, ...beside }, target);
}

const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const code = (value) => `\`${typeof value === "string" && value !== "" ? value : JSON.stringify(value)}\``;

function typeOf({ schema, file }) {
  if (schema.enum) return schema.enum.map(code).join(", ");
  if (schema.const !== undefined) return code(schema.const);
  const type = [schema.type].flat().join(" or ");
  const range = schema.minimum !== undefined && schema.maximum !== undefined ? `, ${schema.minimum} to ${schema.maximum}` : "";
  if (type === "array") {
    const { schema: item } = resolve(schema.items, file);
    return `list of ${item.enum ? "names" : `${item.type}s`}`;
  }
  return type === "object" && typeof schema.additionalProperties === "object" ? "map of text" : `${type}${range}`;
}

/** Rows of a field and of all fields inside it. `skip`: fields that have a table of their own. */
function rows(located, path, required, skip) {
  const { schema, file } = located;
  const examples = schema.examples ? ` For example ${schema.examples.map(code).join(", ")}.` : "";
  const fallback = required ? "**required**" : schema.default === undefined ? "" : code(schema.default);
  const own = path === "" ? [] : [`| \`${path}\` | ${typeOf(located)} | ${fallback} | ${cell((schema.description ?? "") + examples)} |`];
  if (skip.has(path)) return own;
  const list = schema.items && resolve(schema.items, file);
  const container = list ?? located;
  const prefix = path === "" ? "" : `${path}${list ? "[]" : ""}.`;
  const inner = Object.entries(container.schema.properties ?? {}).flatMap(([name, property]) =>
    rows(resolve(property, container.file), `${prefix}${name}`, container.schema.required?.includes(name) ?? false, skip),
  );
  return [...own, ...inner];
}

const table = (header, lines) => [`| ${header.join(" | ")} |`, `|${header.map(() => "---|").join("")}`, ...lines].join("\n");

function fields(file, skip = new Set()) {
  return table(["Field", "Type", "Default", "Meaning"], rows(resolve({ $ref: file }, file), "", false, skip));
}

/** Fields whose parts stand in another table. */
const TABLES_OF_THEIR_OWN = [
  "spec.limits",
  "spec.members[].not",
  "spec.members[].any",
  "spec.startupProbe",
  "spec.livenessProbe",
  "spec.readinessProbe",
  "spec.lifecycle.postStart",
  "spec.lifecycle.preStop",
];

/** The parts of a definition that several fields of a Workload share. */
function definition(name) {
  const file = "workload.schema.json";
  return table(["Field", "Type", "Default", "Meaning"], rows(resolve({ $ref: `${file}#/$defs/${name}` }, file), "", false, new Set()));
}

/** Limits have dots in their names, and stand without a prefix. */
const limits = () => fields("limits.schema.json");

function knobs({ knobTable }) {
  const files = (names) => names.map((name) => code(name)).join("<br>") || "none: `KnobUnsupported`";
  return table(
    ["Limit", "cgroup v1", "cgroup v2"],
    knobTable().map(({ name, v1, v2 }) => `| \`${name}\` | ${files(v1)} | ${files(v2)} |`),
  );
}

/** What `--help` prints, each option on one line. */
function help({ buildProgram }, verb) {
  const program = buildProgram(() => {});
  const command = program.commands.find((candidate) => candidate.name() === verb);
  if (!command) throw new Error(`no verb ${verb}`);
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => 240,
  });
  command.outputHelp();
  return text.trim().split("\n");
}

const SHARED = ["-f, --filename", "--root", "--run-dir", "--log-dir", "--trust", "--manifest-key", "--no-color", "-v, --verbose"];
const isShared = (line) => SHARED.some((start) => line.startsWith(`  ${start}`));
const asText = (lines) => `\`\`\`text\n${lines.join("\n")}\n\`\`\``;

/** The usage of a verb without the options that all verbs have: those stand once, at the top of the page. */
function usage(sources, verb) {
  const own = help(sources, verb).filter((line) => !isShared(line) && !line.startsWith("  -h, --help"));
  return asText(own.filter((line, index) => line !== "" && (line !== "Options:" || own[index + 1] !== "")));
}
const sharedOptions = (sources) => asText(help(sources, "validate").filter(isShared));

/** The kinds as a real API server takes them (apiextensions.k8s.io/v1), by file. */
function definitions({ structuralOf, LIMIT_GROUPS, WORKLOADS }) {
  return [LIMIT_GROUPS, WORKLOADS].map(({ group, version, kind, plural, singular, shortNames, categories }) => {
    const column = (name, type, jsonPath, priority = 0) => ({ name, type, jsonPath, ...(priority ? { priority } : {}) });
    const { properties, ...schema } = structuralOf(kind);
    // Kubernetes knows what metadata is; of that, a definition may say more of the name alone.
    const metadata = { type: "object", properties: { name: properties.metadata.properties.name } };
    const ready = (what) => `.status.conditions[?(@.type=="Ready")].${what}`;
    const counts = kind === "Workload" ? [column("Restarts", "integer", ".status.restartCount")] : [];
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        names: { kind, listKind: `${kind}List`, plural, singular, shortNames, categories },
        scope: "Cluster",
        versions: [
          {
            name: version,
            served: true,
            storage: true,
            subresources: { status: {} },
            additionalPrinterColumns: [
              column("Ready", "string", ready("status")),
              column("Reason", "string", ready("reason")),
              ...counts,
              column("Drift", "integer", ".status.drift.count"),
              column("Age", "date", ".metadata.creationTimestamp"),
              column("Cgroup", "string", ".status.cgroup", 1),
              column("Message", "string", ready("message"), 1),
            ],
            schema: { openAPIV3Schema: { ...schema, properties: { ...properties, metadata } } },
          },
        ],
      },
    };
    return [`docs/crds/${plural}.yaml`, `# Made from schemas/ by scripts/docs.js.\n${stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false })}`];
  });
}

function blocks(sources) {
  return (name) => {
    const [what, argument] = name.split(" ");
    if (what === "fields") return fields(`${argument}.schema.json`, new Set(TABLES_OF_THEIR_OWN));
    if (what === "definition") return definition(argument);
    if (what === "limits") return limits();
    if (what === "knobs") return knobs(sources);
    if (what === "checks")
      return table(
        ["Check", "docker-bench", "Weight", "A process fails that"],
        sources.CHECKS.map(({ id, dockerBench = "", weight, title }) => `| ${code(id)} | ${dockerBench} | ${weight} | ${title} |`),
      );
    if (what === "options") return sharedOptions(sources);
    if (what === "usage") return usage(sources, argument);
    throw new Error(`no generated block ${name}`);
  };
}

const sources = await fromSources();
const make = blocks(sources);
const stale = [];
for (const [file, text] of definitions(sources)) {
  const before = existsSync(join(top, file)) ? readFileSync(join(top, file), "utf8") : "";
  if (before === text) continue;
  stale.push(file);
  if (!process.argv.includes("--check")) writeFileSync(join(top, file), text);
}
for (const file of ["README.md", ...readdirSync(join(top, "docs")).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : []))]) {
  const before = readFileSync(join(top, file), "utf8");
  const after = before.replaceAll(/(<!-- generated: ([^\n]*?) -->\n).*?(<!-- end -->)/gs, (_, start, name, end) => `${start}${make(name)}\n${end}`);
  if (after === before) continue;
  stale.push(file);
  if (!process.argv.includes("--check")) writeFileSync(join(top, file), after);
}
if (process.argv.includes("--check") && stale.length > 0) {
  console.error(`not current: ${stale.join(", ")} (run node scripts/docs.js)`);
  process.exitCode = 1;
}
