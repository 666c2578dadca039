import { expect, test } from "@jest/globals";
import { type CgroupPath, checkRoot, childPath, depthOf, parentPath, ROOT } from "../../src/cgroup/path.ts";

test.each([
  ["holdfast", "holdfast"],
  ["/holdfast/", "holdfast"],
  ["system.slice/holdfast.service/tree", "system.slice/holdfast.service/tree"],
  ["user@1000.service/x", "user@1000.service/x"],
])("--root %p is %p", (root, clean) => expect(checkRoot(root)).toBe(clean));
test.each([[""], ["/"], [".."], ["a/../b"], ["a//b"], [".hidden"], ["a\nb"], ["a b"], ["-x"]])("--root %p is refused", (root) =>
  expect(checkRoot(root)).toBeUndefined(),
);

test("paths", () => {
  const path = childPath(childPath(ROOT, "a"), "b@0");
  expect([path, parentPath(path), parentPath(parentPath(path)), depthOf(path), depthOf(ROOT)]).toEqual(["a/b@0", "a", "", 2, 0]);
  for (const name of ["", "..", ".", "a/b", "a\nb", "x".repeat(4000)]) expect(() => childPath("a" as CgroupPath, name)).toThrow();
});
