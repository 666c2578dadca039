/** Directories that root and a user share, and which files a user could change. */
import { chmodSync, chownSync, linkSync, lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { giveDirectory, isShared, ownDirectory, shareDirectory } from "../../src/host/share.ts";
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
  test("what root has left becomes the user's once; what is root's own, linked, or somebody else's does not", () => {
    for (const name of ["run", "run/replicas", "run/replicas/deep", "run/bundles", "elsewhere"]) mkdirSync(at(name));
    for (const name of ["run/status.json", "run/replicas/a", "run/replicas/deep/b", "run/bundles/config.json", "run/other", "elsewhere/file", "elsewhere/two"])
      writeFileSync(at(name), "");
    chownSync(at("run/other"), 777, 777);
    linkSync(at("elsewhere/two"), at("run/two"));
    symlinkSync(at("elsewhere"), at("run/link"));
    symlinkSync(at("elsewhere/file"), at("run/replicas/link"));
    const share = (): void => shareDirectory(at("run"), USER, ["replicas", "status.json", "other", "two", "link", "late"]);
    expect(isShared(at("run"))).toBe(false);
    share();
    expect(isShared(at("run"))).toBe(true);
    expect(["run", "run/bundles", "run/bundles/config.json"].map(ownerOf)).toEqual([0, 0, 0]);
    expect(["run/status.json", "run/replicas", "run/replicas/a"].map(ownerOf)).toEqual([USER.uid, USER.uid, USER.uid]);
    expect(["run/other", "run/two", "run/link", "run/replicas/link", "run/replicas/deep/b"].map(ownerOf)).toEqual([777, 0, 0, 0, 0]);
    expect(["elsewhere", "elsewhere/file", "elsewhere/two"].map(ownerOf)).toEqual([0, 0, 0]);
    expect(statSync(at("run")).mode & 0o7777).toBe(0o1775);
    expect(statSync(at("run")).gid).toBe(USER.gid);
    // What appears there later was put there by whoever may write there: a file of root's, moved.
    writeFileSync(at("run/late"), "");
    share();
    expect(ownerOf("run/late")).toBe(0);
  });

  test("of a log directory of root's, the user gets what has the names of logs; of a file in its place, nothing", () => {
    for (const name of ["log", "log/web"]) mkdirSync(at(name));
    for (const name of ["log/web/web.0.log", "log/web/secret", "log/db"]) writeFileSync(at(name), "");
    const isLog = (name: string): boolean => name.endsWith(".log");
    for (const name of ["log/web", "log/db", "log/nothing"]) giveDirectory(at(name), USER, isLog);
    expect(["log/web", "log/web/web.0.log", "log/web/secret", "log/db"].map(ownerOf)).toEqual([USER.uid, USER.uid, 0, 0]);
  });

  test("what the user could put something else in the place of is not shared", () => {
    mkdirSync(at("theirs"));
    chownSync(at("theirs"), USER.uid, USER.gid);
    expect(() => shareDirectory(at("theirs"), USER, [])).toThrow(/must be root's, and user someone could change it: .*theirs belongs to it/);
    expect(() => shareDirectory(at("theirs/run"), USER, [])).toThrow(/theirs belongs to it/);
    mkdirSync(at("run"));
    mkdirSync(at("run/bundles"));
    chownSync(at("run/bundles"), USER.uid, USER.gid);
    expect(() => ownDirectory(at("run/bundles"), USER)).toThrow(/bundles must be root's/);
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
    // By way of a link that the user could turn elsewhere, from a directory that is a link itself.
    symlinkSync(at("dir/a.yaml"), at("theirs/hop"));
    symlinkSync("../theirs/hop", at("dir/c.yaml"));
    symlinkSync(at("dir"), at("way"));
    expect(whyUntrusted(at("way/c.yaml"), USER)).toMatch(/theirs belongs to it/);
    expect(whyUntrusted(at("way/a.yaml"), USER)).toBeUndefined();
    symlinkSync("loop", at("loop"));
    expect(whyUntrusted(at("loop"), USER)).toMatch(/too many links/);
    expect(whyUntrusted(at("dir/nothing"), USER)).toBeUndefined();
  });
});
