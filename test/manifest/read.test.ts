import { describe, expect, test } from "@jest/globals";
import { problemLine } from "../../src/api/problem.ts";
import { readFile } from "../../src/manifest/read.ts";
import { group, problemsOf } from "../support/manifests.ts";

/** Problems of a file, and the milliseconds it took to find them. */
function read(text: string): { problems: string[]; took: number } {
  const started = performance.now();
  const file = readFile({ path: "a.yaml", text });
  const problems = [...(file.problem ? [file.problem] : []), ...file.documents.flatMap((document) => document.problems)];
  return { problems: problems.map(problemLine), took: performance.now() - started };
}

describe("hostile files get a clear problem, in bounded time", () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n`;
  test.each([
    ["an alias bomb", bomb, /YAMLSyntax: expected fewer aliases/],
    ["an alias inside its own anchor", "a: &a [{b: *a}]\n", /YAMLSyntax: expected no alias .* inside what it stands for/],
    ["10 MB", `# ${"x".repeat(10 * 1024 * 1024)}`, /FileTooLarge: expected at most 1 MiB, found 10\.00 MiB \(split it/],
    ["100 000 brackets", "[".repeat(100_000), /a\.yaml:1:1: YAMLSyntax: expected at most 64 levels/],
    ["deep blocks", Array.from({ length: 500 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"), /YAMLSyntax: expected at most 64 levels/],
    ["deep dashes", `${"- ".repeat(50_000)}a`, /YAMLSyntax: expected at most 64 levels/],
    ["a NUL byte", "a: b\nc: \0\n", /^a\.yaml:2:4: NotText: expected UTF-8 text, found a NUL character/],
    ["binary", "\u007fELF\u0001\u0002", /NotText/],
    ["bytes that are no UTF-8", Buffer.from([0xff, 0xfe, 0x41]).toString("utf8"), /NotText/],
    ["an unknown tag", "a: !!python/object x\n", /YAMLSyntax: .*tag/i],
    ["a duplicate key", "a: 1\nb: 2\na: 3\n", /a\.yaml:3:1: YAMLSyntax: .*unique/i],
    ["an open quote", 'a: "b\nc: d\n', /YAMLSyntax/],
    ["a tab as indentation", "a:\n\tb: c\n", /YAMLSyntax/],
    ["YAML 1.1", "%YAML 1.1\n---\na: yes\n", /YAMLSyntax|InvalidValue/],
  ])("%s", (_, text, expected) => {
    const { problems, took } = read(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join("\n")).toMatch(expected);
    expect(took).toBeLessThan(2000);
  });
});

test("a broken document leaves its neighbours alone", () => {
  const file = readFile({ path: "a.yaml", text: `${group("a")}---\na: [\n---\n${group("b")}` });
  expect(file.documents.map(({ resource }) => resource?.key)).toEqual(["LimitGroup/a", undefined, "LimitGroup/b"]);
  expect(file.documents[1]?.problems[0]).toMatchObject({ line: expect.any(Number), reason: "YAMLSyntax" });
});

test("documents that stand as they stood keep their identity", () => {
  const before = readFile({ path: "a.yaml", text: `${group("a")}---\n${group("b")}` });
  const after = readFile({ path: "a.yaml", text: `${group("a")}---\n${group("c")}` }, before);
  expect(after.documents[0]).toBe(before.documents[0]);
  expect(after.documents[1]).not.toBe(before.documents[1]);
});

test("Windows line ends, comments and empty documents are fine", () => {
  expect(problemsOf(`# comment\r\n---\r\n${group("a").replaceAll("\n", "\r\n")}---\r\n# nothing\r\n`)).toEqual([]);
});

test("an alias without its anchor is told where it stands, and another YAML version once", () => {
  expect(problemsOf("a: &x 1\n---\nb: 2\nc: *x\n")).toContainEqual(expect.stringMatching(/^a\.yaml:4:4: YAMLSyntax: expected an anchor &x above/));
  expect(problemsOf("%YAML 1.1\n---\na: 1\n").filter((line) => line.includes("YAMLSyntax"))).toEqual([expect.stringContaining("found a %YAML 1.1 directive")]);
});
