import { expect, test } from "@jest/globals";
import { groupsToObjects, parseCgConfig } from "../../src/import/cgconfig.ts";
import { rulesToObjects } from "../../src/import/cgrules.ts";

const TEXT = `# as the manual page has it
mount { cpu = /cgroup/cpu; cpuacct = "/cgroup/cpuacct"; }
group daemons/www {
  perm { task { uid = root; gid = webmaster; fperm = 770; } admin { uid = root; } }
  cpu { cpu.shares = "512"; }
  memory { memory.limit_in_bytes = 200M; memory.nosuch = 1; }
}
group . { cpu { cpu.shares = 100; } }
template students/%u { pids { pids.max = 20; } }
default { perm { task { uid = root; } } }
`;

test("groups nest as they were, or are governed where they are; all that is left out is told with its line", () => {
  const { groups, templates, notes } = parseCgConfig(TEXT, "c");
  expect(templates.map(({ path, line }) => [path, line])).toEqual([["students/%u", 9]]);
  expect(notes).toEqual([
    expect.stringMatching(/^c:4: perm of daemons\/www/),
    expect.stringMatching(/^c:6: memory\.nosuch = 1/),
    expect.stringMatching(/^c:10: the section default/),
  ]);
  const own = groupsToObjects(groups, "c", false);
  expect(own.notes).toEqual([expect.stringMatching(/^c:8: the root group is left out/)]);
  expect(own.objects.map(({ metadata, spec }) => [metadata.name, spec])).toEqual([
    ["daemons", {}],
    ["daemons-www", { parentRef: { name: "daemons" }, limits: { "cpu.weight": 50, "memory.max": "200Mi" } }],
  ]);
  expect(groupsToObjects(groups, "c", true).objects.map(({ spec }) => spec)).toEqual([
    { cgroupPath: "daemons/www", limits: { "cpu.weight": 50, "memory.max": "200Mi" } },
  ]);
});

test.each([
  ["group a { cpu { cpu.shares 5; } }", "c:1: expected =, found 5"],
  ["group a { cpu {", "c:1: expected more"],
  ["\ngroups a {}", "c:2: expected group, template, mount"],
  ['group "a { }', "c:1: expected a closing quotation mark"],
])("%j is refused with its line", (text, message) => expect(() => parseCgConfig(text, "c")).toThrow(message));

test("rules become members: templates for each user, no rule for every process, and the same process in other controllers once", () => {
  const { groups, templates } = parseCgConfig(TEXT, "c");
  const text =
    "@students cpu,pids students/%u\n* cpu all\nalice:/usr/bin/gcc pids daemons/www\n% memory daemons/www\n% cpu elsewhere\nbob:a-very-long-process-name * /jobs/\n";
  const { objects, notes } = rulesToObjects(text, "r", { file: "c", groups, templates }, ["carol"]);
  const spec = (name: string) => objects.find(({ metadata }) => metadata.name === name)?.spec;
  expect(spec("students-carol")).toEqual({ parentRef: { name: "students" }, limits: { "pids.max": 20 }, members: [{ group: "students", user: "carol" }] });
  expect(spec("daemons-www")).toMatchObject({ members: [{ user: "alice", exe: "/usr/bin/gcc" }] });
  expect(spec("jobs")).toEqual({ members: [{ user: "bob", comm: "a-very-long-pro" }] });
  expect(notes.filter((note) => /^r:[25]:/.test(note))).toEqual([
    expect.stringContaining("one group for all controllers"),
    expect.stringContaining("every process of the host"),
  ]);
  expect(rulesToObjects("@students cpu students/%u\n", "r", { file: "c", groups: [], templates }, []).notes[0]).toContain("say for whom");
  expect(() => rulesToObjects("alice cpu\n", "r", { file: "c", groups: [], templates: [] }, [])).toThrow(
    "r:1: expected <user>[:<process>] <controllers> <destination>",
  );
});

test("several blocks of one group are one group; what is no number is told, and no path leads upwards", () => {
  const read = (text: string) => groupsToObjects(parseCgConfig(text, "c").groups, "c", false);
  const { objects, notes } = read(
    "group a { cpu { cpu.shares = xyz; } pids { pids.max = 5; } }\ngroup a { pids { pids.max = 7; } memory { memory.limit_in_bytes = 1.5G; memory.memsw.limit_in_bytes = 2G; } }",
  );
  expect(objects).toHaveLength(1);
  expect(objects[0]?.spec).toMatchObject({ limits: { "pids.max": 7 } });
  expect(notes.join("\n")).toMatch(/cpu\.shares xyz is left out: it is no number/);
  expect(notes.join("\n")).toMatch(/memory\.memsw\.limit_in_bytes 2147483648 is left out/);
  expect(() => read("group ../evil { pids { pids.max = 5; } }")).toThrow("c:1: expected the path of a cgroup, found ../evil");
});
