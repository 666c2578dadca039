/** Directories that root and a user share, and which files a user could change. */
import { chmodSync, chownSync, linkSync, lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { give, isRoots, shareDirectory } from "../../src/host/share.ts";
import { whyUntrusted } from "../../src/host/trust.ts";

const USER = { name: "someone", uid: 12_345, gid: 12_346, groups: [12_346, 12_347] };
const asRoot = process.geteuid?.() === 0;

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-share-"));
  chmodSync(top, 0o755);
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const at = (name: string): string => join(top, name);
const ownerOf = (name: string): number => lstatSync(at(name)).uid;

(asRoot ? describe : describe.skip)("as root", () => {
  test("what root has left becomes the user's; what is root's own, linked, or somebody else's does not", () => {
    for (const name of ["run", "run/replicas", "run/bundles", "elsewhere"]) mkdirSync(at(name));
    for (const name of ["run/status.json", "run/replicas/a", "run/bundles/config.json", "run/other", "elsewhere/file", "elsewhere/two"])
      writeFileSync(at(name), "");
    chownSync(at("run/other"), 777, 777);
    linkSync(at("elsewhere/two"), at("run/two"));
    symlinkSync(at("elsewhere"), at("run/link"));
    symlinkSync(at("elsewhere/file"), at("run/replicas/link"));
    shareDirectory(at("run"), USER, ["bundles", "monitor"]);
    for (const name of ["status.json", "replicas", "other", "two", "link"]) give(at(`run/${name}`), USER);
    expect(["run", "run/bundles", "run/monitor", "run/bundles/config.json"].map(ownerOf)).toEqual([0, 0, 0, 0]);
    expect(["run/status.json", "run/replicas", "run/replicas/a"].map(ownerOf)).toEqual([USER.uid, USER.uid, USER.uid]);
    expect(["run/other", "run/two", "run/link", "elsewhere", "elsewhere/file", "elsewhere/two", "run/replicas/link"].map(ownerOf)).toEqual([
      777, 0, 0, 0, 0, 0, 0,
    ]);
    expect(statSync(at("run")).mode & 0o7777).toBe(0o1775);
    expect(statSync(at("run")).gid).toBe(USER.gid);
    // Once more changes nothing.
    shareDirectory(at("run"), USER, ["bundles", "monitor"]);
    expect([isRoots(at("run")), isRoots(at("run/replicas")), isRoots(at("run/nothing"))]).toEqual([true, false, false]);
  });

  test("what the user could put something else in the place of is not shared", () => {
    mkdirSync(at("theirs"));
    chownSync(at("theirs"), USER.uid, USER.gid);
    expect(() => shareDirectory(at("theirs"), USER)).toThrow(/must be root's, and user someone could change it: .*theirs belongs to it/);
    expect(() => shareDirectory(at("theirs/run"), USER)).toThrow(/theirs belongs to it/);
    mkdirSync(at("run"));
    mkdirSync(at("run/bundles"));
    chownSync(at("run/bundles"), USER.uid, USER.gid);
    expect(() => shareDirectory(at("run"), USER, ["bundles"])).toThrow(/bundles must be root's/);
  });

  test("a file is trusted when neither it nor any directory above it is the user's to change", () => {
    mkdirSync(at("dir"));
    writeFileSync(at("dir/a.yaml"), "");
    const why = (): string | undefined => whyUntrusted(at("dir/a.yaml"), USER);
    expect(why()).toBeUndefined();
    chownSync(at("dir/a.yaml"), USER.uid, 0);
    expect(why()).toMatch(/a.yaml belongs to it/);
    chownSync(at("dir/a.yaml"), 0, 12_347);
    chmodSync(at("dir/a.yaml"), 0o664);
    expect(why()).toMatch(/a.yaml belongs to a group of it/);
    chownSync(at("dir/a.yaml"), 0, 99);
    expect(why()).toBeUndefined();
    chmodSync(at("dir"), 0o777);
    expect(why()).toMatch(/dir may be written by everybody/);
    // In a sticky directory nobody renames what is not theirs.
    chmodSync(at("dir"), 0o1777);
    expect(why()).toBeUndefined();
    // Both where a link is, and where it leads.
    mkdirSync(at("theirs"));
    chownSync(at("theirs"), USER.uid, USER.gid);
    symlinkSync(at("dir/a.yaml"), at("theirs/link.yaml"));
    expect(whyUntrusted(at("theirs/link.yaml"), USER)).toMatch(/theirs belongs to it/);
    writeFileSync(at("theirs/b.yaml"), "");
    symlinkSync(at("theirs/b.yaml"), at("dir/b.yaml"));
    expect(whyUntrusted(at("dir/b.yaml"), USER)).toMatch(/theirs/);
    expect(whyUntrusted(at("dir/nothing"), USER)).toBeUndefined();
  });
});
