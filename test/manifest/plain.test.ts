import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { stringify } from "yaml";
import { type Places, parsePlain } from "../../src/manifest/plain.ts";
import { splitDocuments } from "../../src/manifest/split.ts";
import { parseYaml } from "../../src/manifest/yaml.ts";

/** Whatever the plain parser does not give up on, the parser of record reads the same, values and places alike. */
function agree(text: string): boolean {
  const plainPlaces: Places = new Map();
  const plain = parsePlain(text, plainPlaces);
  if (!plain) return false;
  const places: Places = new Map();
  expect({ text, ...parseYaml(text, places) }).toEqual({ text, value: plain.value });
  for (const [pointer, place] of plainPlaces) {
    expect({ text, pointer, key: place.key }).toEqual({ text, pointer, key: places.get(pointer)?.key });
  }
  return true;
}

const SCALARS = [
  "1",
  "-1",
  "+3",
  "0",
  "01",
  "017",
  "0o17",
  "0x1f",
  "1.5",
  ".5",
  "5.",
  "1e3",
  "1.5e-3",
  "true",
  "True",
  "TRUE",
  "yes",
  "no",
  "on",
  "off",
  "null",
  "Null",
  "~",
  ".inf",
  "-.inf",
  ".nan",
  "-",
  "--",
  "---x",
  "-a",
  "-1a",
  "a b",
  "a  b",
  "a: b",
  "a:b",
  "a:",
  ":a",
  "a #b",
  "a#b",
  "#a",
  "'x'",
  '"x"',
  "'it''s'",
  '"a\\n"',
  "''",
  '""',
  "[a",
  "a]",
  "{a",
  "*a",
  "&a",
  "!a",
  "%a",
  "@a",
  "`a",
  "|",
  ">",
  "?",
  "? a",
  "200Mi",
  "20%",
  "8:0",
  "/dev/sda",
  "path:/srv",
  "0-1",
  "0,1",
  "1_000",
  "a, b",
  "=",
  "<<",
  "__proto__",
  "2024-01-01",
  "12:30",
  "$(X)",
  "é",
  "\t",
  "a\tb",
  "9007199254740993",
  "1e400",
  "-0",
  "+.5",
  "1.e3",
  "0.1.2",
];

describe("agrees with the yaml package", () => {
  test.each(SCALARS.map((scalar) => [scalar]))("on the scalar %p, wherever it stands", (scalar) => {
    for (const text of [
      `a: ${scalar}\n`,
      `a: ${scalar} # comment\n`,
      `- ${scalar}\n`,
      `a:\n  - ${scalar}\n  - b\n`,
      `a: [${scalar}, b]\n`,
      `a: {b: ${scalar}, c: d}\n`,
      `${scalar}: b\n`,
      `a: "${scalar}"\n`,
      `a: '${scalar}'\n`,
      `a: ${scalar}\n  more\n`,
      `a: [ ${scalar} ]\n`,
      `a: [${scalar}]x\n`,
    ])
      agree(text);
  });

  test("on documents made of random lines", () => {
    const key = fc.constantFrom("a", "b", "kind", "cpu.max", "a/b", "true", "null", "x-y", "1", "a b");
    const scalar = fc.constantFrom(
      ...SCALARS,
      "text",
      "more text",
      "'quoted: text'",
      "[a, b]",
      "{a: b}",
      "[]",
      "{}",
      "[a, [b, {c: d}]]",
      "[a,]",
      "{a: 1, b: [x]}",
    );
    const line = fc.tuple(
      fc.constantFrom(0, 0, 2, 2, 4, 1, 6),
      fc.constantFrom("", "- ", "- ", "-   ", "- - "),
      key,
      fc.constantFrom(": ", ": ", ":", ":  ", " "),
      scalar,
      fc.constantFrom("", "", " # c", " "),
    );
    let plain = 0;
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), (lines) => {
        const text = lines.map(([indent, dash, name, colon, value, end]) => `${" ".repeat(indent)}${dash}${name}${colon}${value}${end}`).join("\n");
        if (agree(text)) plain++;
      }),
      { numRuns: 3000 },
    );
    expect(plain).toBeGreaterThan(50);
  });

  test("on documents that yaml itself writes", () => {
    const value = fc.letrec((tie) => ({
      leaf: fc.oneof(fc.string({ maxLength: 8 }), fc.integer(), fc.boolean(), fc.constant(null), fc.constantFrom("200Mi", "20%", "/dev/sda", "a b")),
      node: fc.oneof(
        { depthSize: "small" },
        tie("leaf"),
        fc.array(tie("node"), { maxLength: 3 }),
        fc.dictionary(fc.stringMatching(/^[a-z][a-z.]{0,6}$/), tie("node"), { maxKeys: 4 }),
      ),
    })).node;
    let plain = 0;
    fc.assert(
      fc.property(value, (tree) => {
        if (agree(stringify(tree))) plain++;
      }),
      { numRuns: 1500 },
    );
    expect(plain).toBeGreaterThan(200);
  });

  test("and reads the example manifests itself, but for block scalars", () => {
    const files = readdirSync("manifests", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
    for (const file of files) {
      for (const { text } of splitDocuments(readFileSync(`manifests/${file}`, "utf8")))
        expect({ file, text, plain: agree(text) }).toEqual({ file, text, plain: !text.includes("- |") });
    }
  });
});
