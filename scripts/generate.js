// Writes what is derived from schemas/: the TypeScript types (src/api/schema.ts, committed: people read it; a test
// proves that it is current) and, into generated/ (not committed), the compiled validators.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const read = (name) => JSON.parse(readFileSync(join(top, "schemas", `${name}.schema.json`), "utf8"));

/** The text of src/api/schema.ts. */
export async function typesText() {
  const { compile } = await import("json-schema-to-typescript");
  const [limits, limitGroup, workload] = ["limits", "limitgroup", "workload"].map(read);
  const local = (schema) => {
    const text = JSON.stringify(schema)
      .replaceAll("limits.schema.json", "#/$defs/limits")
      .replaceAll(/(limitgroup|workload)\.schema\.json#/g, "#");
    // A description beside a $ref would make a second type of the same shape.
    const inlined = JSON.parse(text, (_, value) => (value?.$ref ? { $ref: value.$ref } : value));
    delete inlined.$id;
    return inlined;
  };
  const both = {
    title: "Manifest",
    oneOf: [{ $ref: "#/$defs/limitGroup" }, { $ref: "#/$defs/workload" }],
    $defs: {
      ...local({ ...limitGroup.$defs, ...workload.$defs, ...limits.$defs }),
      limits: local(limits),
      limitGroup: local(limitGroup),
      workload: local(workload),
    },
  };
  for (const name of ["limits", "limitGroup", "workload"]) delete both.$defs[name].$defs;
  const types = await compile(both, "Manifest", {
    bannerComment: "/** Knows the shape of the two kinds as people write them. Generated from schemas/ by `npm run generate`: edit those. */",
    additionalProperties: false,
    ignoreMinAndMaxItems: true,
    style: { printWidth: 160 },
  });
  return types.replaceAll(/\/\*\*\n\s*\* (.*)\n\s*\*\//g, "/** $1 */");
}

/** Compiles the validators into generated/validators.js, so that no run of the program pays for ajv's compiler. */
export async function validators() {
  const { Ajv2020 } = await import("ajv/dist/2020.js");
  const { default: standalone } = await import("ajv/dist/standalone/index.js");
  const { build } = await import("esbuild");
  const ajv = new Ajv2020({
    strict: true,
    allErrors: true,
    allowUnionTypes: true,
    strictTypes: false,
    code: { esm: true, source: true, lines: true },
    schemas: ["limits", "limitgroup", "workload"].map(read),
  });
  const source = standalone.default(ajv, {
    LimitGroup: "https://holdfast.dev/schemas/limitgroup.schema.json",
    Workload: "https://holdfast.dev/schemas/workload.schema.json",
  });
  mkdirSync(join(top, "generated"), { recursive: true });
  // ajv's ESM output still calls require() for its small runtime: esbuild inlines it.
  await build({
    stdin: { contents: source, resolveDir: top, loader: "js" },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile: join(top, "generated", "validators.js"),
    logLevel: "error",
  });
  writeFileSync(
    join(top, "generated", "validators.d.ts"),
    'import type { ValidateFunction } from "ajv";\nexport declare const LimitGroup: ValidateFunction;\nexport declare const Workload: ValidateFunction;\n',
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(top, "src", "api", "schema.ts"), await typesText());
  await validators();
}
