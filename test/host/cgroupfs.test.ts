import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type CgroupFiles, kernelFiles } from "../../src/host/cgroupfs.ts";

let top: string;
let files: CgroupFiles;
const NAMES = ["a", "b", "c", "missing"];
const write = (name: string, text: string): void => writeFileSync(join(top, name), text);
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-files-"));
  for (const name of NAMES.slice(0, 3)) write(name, `${name}1`);
  files = kernelFiles(10);
});
afterEach(() => {
  files.close();
  rmSync(top, { recursive: true, force: true });
});

describe("the files of a cgroup", () => {
  const declared = [true, true, false, false];
  const changed = (): string[] => [...files.changed()].flatMap((one) => (one.changed ? [one.directory] : []));

  test("read the same are the same array", () => {
    const first = files.readAll(top, NAMES, { declared });
    expect(first).toEqual(["a1", "b1", "c1", undefined]);
    expect(files.readAll(top, NAMES, { declared })).toBe(first);
    write("c", "c2");
    expect(files.readAll(top, NAMES, { declared })).toEqual(["a1", "b1", "c2", undefined]);
  });

  test("that are declared tell a glance that they changed, until they are read", () => {
    files.readAll(top, NAMES, { declared });
    expect([...files.changed()]).toEqual([{ directory: top, changed: false }]);
    expect([files.isKept(top), files.isKept("/elsewhere")]).toEqual([true, false]);
    write("c", "what nobody declared tells by an event");
    expect(changed()).toEqual([]);
    for (const text of ["b2", "b", "x".repeat(100), `${"x".repeat(99)}y`]) {
      write("b", text);
      expect(changed()).toEqual([top]);
      expect(files.readAll(top, NAMES, { declared })?.[1]).toBe(text);
      expect(changed()).toEqual([]);
    }
  });

  test("are read after an event as far as it concerns them", () => {
    files.readAll(top, NAMES, { declared });
    for (const name of ["a", "b", "c"]) write(name, `${name}2`);
    expect(files.readAll(top, NAMES, { declared, touched: new Set() })).toEqual(["a1", "b1", "c1", undefined]);
    expect(files.readAll(top, NAMES, { declared, touched: new Set(["b"]) })).toEqual(["a2", "b2", "c1", undefined]);
    expect(files.readAll(top, NAMES, { declared, touched: new Set(["c"]) })).toEqual(["a2", "b2", "c2", undefined]);
  });

  test("are read again once this program has written to one of them, whatever an event tells", () => {
    files.readAll(top, NAMES, { declared });
    files.write(`${top}/a`, "a2");
    files.write(`${top}/c`, "c2");
    expect(files.readAll(top, NAMES, { declared, touched: new Set() })).toEqual(["a2", "b1", "c2", undefined]);
    write("b", "b2");
    expect(files.readAll(top, NAMES, { declared, touched: new Set() })).toEqual(["a2", "b1", "c2", undefined]);
    expect(files.writeAndRead(`${top}/b`, "b3")).toBe("b3");
    expect(files.readAll(top, NAMES, { declared, touched: new Set() })).toEqual(["a2", "b3", "c2", undefined]);
  });

  test("beyond the budget are opened and closed each time", () => {
    const none = kernelFiles(0);
    expect(none.readAll(top, NAMES, { declared })).toEqual(["a1", "b1", "c1", undefined]);
    expect([none.isKept(top), [...none.changed()]]).toEqual([false, []]);
    const few = kernelFiles(1);
    expect(few.readAll(top, NAMES, { declared })).toEqual(["a1", "b1", "c1", undefined]);
    write("b", "b2");
    expect(few.readAll(top, NAMES, { declared })?.[1]).toBe("b2");
    few.close();
  });

  test("tell of a child that somebody else made, at once or as it was listed before", () => {
    files.readAll(top, NAMES, { declared });
    expect([files.children(top), files.knownChildren(top)]).toEqual([[], []]);
    mkdirSync(join(top, "child"));
    expect([files.children(top), files.knownChildren(top)]).toEqual([["child"], []]);
    for (let look = 0; look < 6; look++) files.knownChildren(top);
    expect(files.knownChildren(top)).toEqual(["child"]);
  });

  test("of a cgroup that is not there are undefined; an empty one is there", () => {
    expect(files.readAll(join(top, "no"), NAMES)).toBeUndefined();
    mkdirSync(join(top, "empty"));
    expect(files.readAll(join(top, "empty"), NAMES)).toEqual([undefined, undefined, undefined, undefined]);
  });
});
