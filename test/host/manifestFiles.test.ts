import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ManifestDirectory } from "../../src/host/manifestFiles.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-manifests-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const write = (name: string, text = name): void => {
  mkdirSync(join(top, name, ".."), { recursive: true });
  writeFileSync(join(top, name), text);
};
const old = (name: string): void => utimesSync(join(top, name), 1, 1);
const found = (directory = new ManifestDirectory(top)): Record<string, string> =>
  Object.fromEntries(
    directory
      .scan()
      .contents.map((content) => [
        content.path.replace(`${top}/`, ""),
        "text" in content ? content.text : `${content.problem.reason}: ${content.problem.message}`,
      ]),
  );

test("all manifests of the tree count, and nothing that an editor leaves", () => {
  for (const name of ["b.yaml", "a.yml", "sub/deep/c.yaml", "d.yaml~", ".e.yaml", "#f.yaml#", "g.yaml.swp", "h.json", ".git/i.yaml", "j.yaml.bak"]) write(name);
  expect(found()).toEqual({ "a.yml": "a.yml", "b.yaml": "b.yaml", "sub/deep/c.yaml": "sub/deep/c.yaml" });
});

describe("what cannot be read is a problem, not an exception and not a hang", () => {
  test.each([
    ["a pipe", () => execFileSync("mkfifo", [join(top, "x.yaml")]), /FileUnreadable: expected a regular file/],
    ["10 MB", () => write("x.yaml", "#".repeat(10 * 1024 * 1024)), /FileTooLarge: expected at most 1 MiB, found 10\.00 MiB/],
    ["a broken link", () => symlinkSync("nowhere", join(top, "x.yaml")), /FileUnreadable: the file does not exist \(a broken link\)/],
    ["a link to itself", () => symlinkSync("x.yaml", join(top, "x.yaml")), /FileUnreadable/],
  ])("%s", (_, make, expected) => {
    make();
    expect(found()["x.yaml"]).toMatch(expected);
  });

  test("a loop of directories is followed once", () => {
    write("a/b/x.yaml");
    symlinkSync("../..", join(top, "a/b/loop"));
    symlinkSync("a", join(top, "also"));
    expect(found()).toEqual({
      "a/b/x.yaml": "a/b/x.yaml",
      "also/b/x.yaml": "a/b/x.yaml",
      "a/b/loop": expect.stringMatching(/leads back/),
      "also/b/loop": expect.stringMatching(/leads back/),
    });
  });

  test("a directory that does not exist, and one file instead of a directory", () => {
    expect(Object.values(found(new ManifestDirectory(join(top, "no"))))).toEqual([expect.stringMatching(/the manifest directory does not exist/)]);
    symlinkSync("loop", join(top, "loop"));
    expect(Object.values(found(new ManifestDirectory(join(top, "loop"))))).toEqual([expect.stringMatching(/leads back to itself/)]);
    write("x.yaml");
    expect(found(new ManifestDirectory(join(top, "x.yaml")))).toEqual({ "x.yaml": "x.yaml" });
  });

  test("permissions", () => {
    write("x.yaml");
    chmodSync(join(top, "x.yaml"), 0);
    const text = found()["x.yaml"];
    // Root reads everything; anybody else is told why not.
    expect(process.geteuid?.() === 0 ? "x.yaml" : "FileUnreadable: the file cannot be read (EACCES)").toBe(text);
  });
});

describe("a file that is being written", () => {
  test("in place is read when it is quiet; until then what was known stands", () => {
    write("x.yaml", "one");
    old("x.yaml");
    const directory = new ManifestDirectory(top);
    directory.scan();
    write("x.yaml", "two");
    const look = directory.scan();
    expect(look.contents).toEqual([expect.objectContaining({ text: "one" })]);
    expect(look.again).toBeGreaterThan(0);
    expect(look.again).toBeLessThanOrEqual(40);
    old("x.yaml");
    expect(found(directory)).toEqual({ "x.yaml": "two" });
  });

  test("and renamed into place is read at once", () => {
    write("x.yaml", "one");
    const directory = new ManifestDirectory(top);
    directory.scan();
    write("x.yaml.tmp", "two");
    renameSync(join(top, "x.yaml.tmp"), join(top, "x.yaml"));
    expect(directory.look(new Set([join(top, "x.yaml")]))?.contents).toEqual([expect.objectContaining({ text: "two", whole: true })]);
  });

  test("an unknown or vanished file needs a look at everything", () => {
    write("x.yaml");
    const directory = new ManifestDirectory(top);
    directory.scan();
    write("y.yaml");
    expect(directory.look(new Set([join(top, "y.yaml")]))).toBeUndefined();
    rmSync(join(top, "x.yaml"));
    expect(directory.look(new Set([join(top, "x.yaml")]))).toBeUndefined();
  });

  test("unchanged files keep their identity", () => {
    write("x.yaml");
    const directory = new ManifestDirectory(top);
    const [before] = directory.scan().contents;
    expect(directory.scan().contents[0]).toBe(before);
  });
});

describe("a tree that is being changed", () => {
  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const states = (directory: ManifestDirectory): string[] =>
    directory
      .scan()
      .contents.map((content) => ("text" in content ? content.text : content.problem.reason))
      .sort();

  test("is calm a second after its last change", async () => {
    write("x.yaml", "one");
    write("y.yaml", "two");
    for (const name of ["x.yaml", "y.yaml"]) old(name);
    const directory = new ManifestDirectory(top);
    expect(directory.scan().calmIn).toBe(0);
    rmSync(join(top, "x.yaml"));
    expect(directory.scan().calmIn).toBeGreaterThan(900);
    await wait(600);
    rmSync(join(top, "y.yaml"));
    expect(directory.scan().calmIn).toBeGreaterThan(900);
    await wait(1010);
    expect(directory.scan().calmIn).toBe(0);
  });

  test("is not calm at the first look, when it was changed a moment ago", () => {
    write("x.yaml", "one");
    expect(new ManifestDirectory(top).scan().calmIn).toBeGreaterThan(500);
  });

  test("a file that is cut or emptied is taken to be in the middle of a write", () => {
    write("x.yaml", "one\ntwo");
    const directory = new ManifestDirectory(top);
    directory.scan();
    for (const part of ["", "one\n"]) {
      write("x.yaml", part);
      utimesSync(join(top, "x.yaml"), Date.now() / 1000, Date.now() / 1000 - 0.5);
      expect(states(directory)).toEqual(["one\ntwo"]);
      expect(directory.scan().again).toBeGreaterThan(100);
    }
    old("x.yaml");
    expect(states(directory)).toEqual(["one\n"]);
  });

  test("a new file is read when it is quiet", () => {
    const directory = new ManifestDirectory(top);
    directory.scan();
    write("x.yaml", "one");
    expect(states(directory)).toEqual([]);
    expect(directory.scan().again).toBeLessThanOrEqual(40);
    old("x.yaml");
    expect(states(directory)).toEqual(["one"]);
  });
});
