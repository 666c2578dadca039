/** The documentation is held against the program: generated blocks, examples, links, commands, reasons, the image's sources. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { readManifests } from "../src/cli/context.ts";

const FILES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...readdirSync("docs").flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : []))];
/** docs/performance.md is written with the measurements. */
const PAGES = FILES.filter((file) => file !== "docs/performance.md").map((file) => ({ file, text: readFileSync(file, "utf8") }));

const run = (...args: string[]) => spawnSync(process.execPath, args, { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });

/** The fenced blocks of a language. */
function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))].map(([, content = ""]) => content);
}

describe("documentation", () => {
  test("has current generated blocks", () => {
    const { status, stderr } = run("scripts/docs.js", "--check");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  const examples = PAGES.flatMap(({ file, text }) => blocksOf(text, "yaml").map((yaml, index) => ({ name: `${file}, example ${index + 1}`, yaml })));
  test.each(examples)("has examples that the validator takes, or is said to refuse: $name", ({ yaml }) => {
    const directory = mkdtempSync(join(tmpdir(), "holdfast-docs-"));
    try {
      writeFileSync(join(directory, "example.yaml"), yaml);
      const { resources, problems } = readManifests(directory, { trust: "any" }).manifests;
      if (yaml.startsWith("# invalid\n")) expect(problems).not.toEqual([]);
      else expect({ problems, empty: resources.size === 0 }).toEqual({ problems: [], empty: false });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  const anchorsOf = (file: string): string[] =>
    [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    );
  const links = PAGES.flatMap(({ file, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => (/^[a-z]+:/.test(link) ? [] : [{ file, link }])),
  );
  test.each(links)("has links that lead somewhere: $file to $link", ({ file, link }) => {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? file : join(dirname(file), path);
    expect(existsSync(target)).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(target)).toContain(anchor);
  });

  test.each(PAGES)("has short pages: $file", ({ text }) => {
    expect(text.split("\n").length).toBeLessThan(300);
  });

  test("tells every reason of a problem, and of a workload's state", () => {
    const failures = readFileSync("docs/failures.md", "utf8");
    const problems = [...readFileSync("src/api/problem.ts", "utf8").matchAll(/^ {2}\| "(\w+)"/gm)].map(([, reason]) => reason);
    const states = [...readFileSync("src/plan/replica.ts", "utf8").matchAll(/waiting\("(\w+)"/g)].map(([, reason]) => reason);
    const ends = [...(/readonly reason: ("Completed"[^;]*);/.exec(readFileSync("src/plan/observed.ts", "utf8"))?.[1]?.matchAll(/"(\w+)"/g) ?? [])].map(
      ([, reason]) => reason,
    );
    expect(problems.length > 10 && states.length > 3 && ends.length > 3).toBe(true);
    expect([...problems, ...states, ...ends].filter((reason) => !failures.includes(`\`${reason}\``))).toEqual([]);
  });

  // In the README `$` is anybody's prompt, `#` is root's.
  const commands = blocksOf(readFileSync("README.md", "utf8"), "console").flatMap((block) =>
    [...block.matchAll(/^\$ node (.*)\n((?:(?!\$ ).*\n)*)/gm)].map(([, command = "", output = ""]) => ({ command, output })),
  );
  test.each(commands)("has README commands that print what stands there: $command", ({ command, output }) => {
    const { status, stdout, stderr } = run(...command.split(" "));
    expect({ status, text: stdout + stderr }).toEqual({ status: 0, text: output });
  });

  test("has a Dockerfile that copies what there is", () => {
    const ignored = readFileSync(".gitignore", "utf8").split("\n");
    const sent = readFileSync(".dockerignore", "utf8").split("\n");
    const copies = [...readFileSync("Dockerfile", "utf8").matchAll(/^COPY (--from=builder )?(.*)$/gm)].map(([, from, words = ""]) => ({
      built: from !== undefined,
      sources: words.split(" ").slice(0, -1),
    }));
    expect(copies.length).toBeGreaterThan(5);
    for (const source of copies.filter(({ built }) => built).flatMap(({ sources }) => sources))
      expect(["/build/node_modules", "/build/dist"]).toContain(source);
    for (const source of copies.filter(({ built }) => !built).flatMap(({ sources }) => sources)) {
      expect([source, existsSync(source), ignored.includes(`${source}/`), sent.includes(`!${source}`)]).toEqual([source, true, false, true]);
    }
  });
});
