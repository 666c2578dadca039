import { describe, expect, test } from "@jest/globals";
import { controllersOf, type Hierarchy, parseMounts } from "../../src/cgroup/hierarchy.ts";

const V1 = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
`;

describe("mountinfo", () => {
  test("a hybrid host, controllers mounted together and a named hierarchy", () => {
    expect(parseMounts(V1)).toEqual([
      { version: 1, mount: "/sys/fs/cgroup/cpu,cpuacct", outer: "", options: ["cpu", "cpuacct"], writable: true },
      { version: 1, mount: "/sys/fs/cgroup/memory", outer: "", options: ["memory"], writable: true },
      { version: 1, mount: "/sys/fs/cgroup/systemd", outer: "", options: ["name=systemd"], writable: true },
      { version: 2, mount: "/sys/fs/cgroup/unified", outer: "", options: [], writable: true },
    ]);
  });

  test("a hierarchy that is mounted twice counts once, blanks in paths are unescaped, ro is seen", () => {
    const twice = "1 0 0:1 / /a\\040b ro,relatime shared:1 - cgroup2 cgroup2 rw\n2 0 0:1 / /c rw - cgroup2 cgroup2 rw\n";
    expect(parseMounts(twice)).toEqual([{ version: 2, mount: "/a b", outer: "", options: [], writable: false }]);
  });

  test("no cgroups, no mounts", () => expect(parseMounts("21 1 8:1 / / rw - ext4 /dev/sda rw\n")).toEqual([]));
});

describe("the hierarchy that tells and ends processes", () => {
  const hierarchy = (id: string, version: 1 | 2): Hierarchy => ({
    id,
    version,
    mount: `/${id}`,
    outer: "",
    controllers: new Set([id]),
    offered: new Set([id]),
  });
  test.each([
    [["cpu", "memory", "unified"], "unified"],
    [["cpu", "pids", "freezer"], "freezer"],
    [["cpu", "pids"], "pids"],
    [["cpu"], "cpu"],
    [["name=systemd", "cpu"], "cpu"],
  ])("of %p is %s", (ids, core) => expect(controllersOf(ids.map((id) => hierarchy(id, id === "unified" ? 2 : 1)))?.core.id).toBe(core));
  test("of nothing is nothing", () => expect(controllersOf([])).toBeUndefined());
});
