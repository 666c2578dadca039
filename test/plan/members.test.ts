import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Member } from "../../src/api/schema.ts";
import type { CgroupPath } from "../../src/cgroup/path.ts";
import type { Inputs } from "../../src/plan/decision.ts";
import type { Desired, DesiredMembers } from "../../src/plan/desired.ts";
import { seatOf } from "../../src/plan/hold.ts";
import type { MemberRecord, ObservedProcess } from "../../src/plan/hostProcess.ts";
import { membership } from "../../src/plan/members.ts";
import type { Observed } from "../../src/plan/observed.ts";
import { canonical } from "../../src/plan/same.ts";
import { group, manifestsOf } from "../support/manifests.ts";

const CONTROLLER = 50;

function processOf(pid: number, more: Partial<ObservedProcess> & { place?: string; program?: string; line?: string } = {}): ObservedProcess {
  const { place = "/", program = "/usr/bin/rsync", line = "rsync -a", ...rest } = more;
  const cgroups = new Map([
    ["pids", place],
    ["unified", place],
    ["name=systemd", place],
  ]);
  return { pid, start: pid * 10, parent: 1, comm: "rsync", uid: 34, gid: 34, exe: () => program, commandLine: () => line, cgroups, ...rest };
}

interface Asked {
  readonly contended?: Inputs["contended"];
  readonly applied?: Inputs["applied"];
  readonly rules: Readonly<Record<string, readonly Member[]>>;
  readonly processes: readonly ObservedProcess[];
  readonly records?: readonly MemberRecord[];
  readonly systemd?: boolean;
  readonly pidIn?: (file: string) => number | undefined;
  readonly held?: boolean;
}

function plan({ rules, processes, records = [], systemd = false, pidIn = () => undefined, held = false, applied = new Map(), contended = new Map() }: Asked) {
  const text = Object.entries(rules)
    .map(([name, members]) => group(name, JSON.stringify({ members })))
    .join("---\n");
  const { resources, problems } = manifestsOf({ "a.yaml": text });
  expect(problems).toEqual([]);
  const members = [...resources.values()]
    .flatMap((resource): DesiredMembers[] =>
      resource.kind === "LimitGroup" && resource.members.length > 0
        ? [{ path: `${resource.name}/members` as CgroupPath, group: resource, hierarchies: ["pids", "unified"] }]
        : [],
    )
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  const accounts = new Map([
    ["user:backup", { uid: 34, gid: 34, groups: [] }],
    ["user:nobody-here", { problem: "there is no user nobody-here" }],
  ]);
  const observed = {
    machine: { systemd, accounts },
    processes: () => new Map(processes.map((process) => [process.pid, process])),
    memberships: () => new Map(records.map((record) => [record.pid, record])),
    pidIn,
    root: "holdfast",
    holdfast: () => new Set([CONTROLLER]),
  } as unknown as Observed;
  const found: Parameters<typeof membership>[2] = [];
  const desired = { members, held } as unknown as Desired;
  return { ...membership({ desired, observed, applied, contended, now: 0 } as Inputs, () => true, found), problems: found };
}

const moved = (asked: Asked): string[] =>
  plan(asked).actions.map((action) => `${action.type} ${"record" in action ? (action.record as MemberRecord).pid : ""} ${action.path}`);

describe("which processes a rule means", () => {
  const cases: readonly (readonly [Member, boolean])[] = [
    [{ user: "backup" }, true],
    [{ user: 34 }, false], // not looked up: nobody can tell
    [{ comm: "rsyn" }, false],
    [{ exe: "/usr/*" }, false],
    [{ exe: "/usr/**" }, true],
    [{ exe: "/usr/bin/rsync", cmdline: " -a$" }, true],
    [{ not: { comm: "rsync" } }, false],
    [{ not: { user: "nobody-here" } }, false],
    [{ any: [{ comm: "x" }, { user: "backup" }] }, true],
    [{ any: [{ comm: "x" }], user: "backup" }, false],
    [{ cgroup: "/" }, true],
    [{ cgroup: "user.slice/**" }, false],
  ];
  test.each(cases)("%j: %s", (rule, fits) => {
    expect(moved({ rules: { g: [rule] }, processes: [processOf(9)] })).toEqual(fits ? ["join 9 g/members"] : []);
  });

  test("a program that was replaced is the same program; one that cannot be read is unknown, also under not", () => {
    expect(moved({ rules: { g: [{ exe: "/usr/bin/rsync" }] }, processes: [processOf(9, { program: "/usr/bin/rsync (deleted)" })] })).toHaveLength(1);
    const hidden = processOf(9, { exe: () => undefined });
    for (const rule of [{ exe: "/**" }, { not: { exe: "/x" } }]) expect(moved({ rules: { g: [rule] }, processes: [hidden] })).toEqual([]);
  });

  test("a pid file names one", () =>
    expect(moved({ rules: { g: [{ pidFile: "/run/x.pid" }] }, processes: [processOf(8), processOf(9)], pidIn: () => 9 })).toEqual(["join 9 g/members"]));
});

describe("who is left alone", () => {
  const all: Member[] = [{ not: { comm: "nothing" } }];
  test("pid 1, Holdfast and what it starts, and what is in its tree", () => {
    const processes = [
      processOf(1, { parent: 0 }),
      processOf(CONTROLLER),
      processOf(51, { parent: CONTROLLER }),
      processOf(52, { parent: 51 }),
      processOf(60, { place: "/holdfast/web@0" }),
      processOf(61, { place: "/holdfast/.holders/web@0@1" }),
      processOf(62, { place: "/holdfast/web@0/members" }),
    ];
    expect(moved({ rules: { g: all }, processes })).toEqual([]);
  });

  test("a systemd unit, a container, a pod and a cgroup of nobody knows whom, unless the rule names the place", () => {
    const places = ["/system.slice/cron.service", "/docker/0123456789ab", "/kubepods.slice/x", "/hand-made"];
    const processes = places.map((place, index) => processOf(100 + index, { place }));
    const { actions, problems, memberships } = plan({ rules: { g: all }, processes, systemd: true });
    expect(actions).toEqual([]);
    expect(memberships?.get("LimitGroup/g")?.refused.map(({ owner }) => owner.words)).toEqual([
      "the systemd unit cron.service",
      "Docker",
      "the kubelet",
      "whoever made the cgroup hand-made",
    ]);
    expect(problems[0]?.message).toContain("left to Docker, the kubelet, the systemd unit cron.service, whoever made the cgroup hand-made");
    expect(moved({ rules: { g: [{ cgroup: "system.slice/*" }] }, processes, systemd: true })).toEqual(["join 100 g/members"]);
  });

  test("a rule that names the place comes into its own behind one that does not", () =>
    expect(moved({ rules: { a: all, b: [{ cgroup: "x" }] }, processes: [processOf(9, { place: "/x" })] })).toEqual(["join 9 b/members"]));

  test("a process of whose number another one was drawn in is another one", () => {
    const record: MemberRecord = { pid: 9, start: 1, path: "g/members" as CgroupPath, rule: "{}", from: { pids: "/x" } };
    const { actions, memberships } = plan({ rules: { g: [{ comm: "x" }] }, processes: [processOf(9, { place: "/holdfast/g/members" })], records: [record] });
    expect(actions).toEqual([]);
    expect(memberships?.get("LimitGroup/g")?.unexpected.map(({ pid }) => pid)).toEqual([9]);
  });

  test("where the group has come to another hierarchy nobody has left anything", () => {
    const rule = { comm: "rsync" };
    const record: MemberRecord = { pid: 9, start: 90, path: "g/members" as CgroupPath, rule: canonical(rule), from: { pids: "/", unified: "/" } };
    const half = new Map([
      ["pids", "/holdfast/g/members"],
      ["unified", "/"],
    ]);
    const causeWith = (hierarchies: readonly string[]) =>
      plan({
        rules: { g: [rule] },
        processes: [processOf(9, { cgroups: half })],
        records: [record],
        applied: new Map([["LimitGroup/g", { "g/members": { hierarchies, enable: [], settings: {} } }]]),
      }).actions.map((action) => action.type === "join" && action.cause);
    expect(causeWith(["pids"])).toEqual(["pending"]);
    expect(causeWith(["pids", "unified"])).toEqual(["drift"]);
  });

  test("who is fought about is left where he is for a while", () => {
    const rule = { comm: "rsync" };
    const record: MemberRecord = { pid: 9, start: 90, path: "g/members" as CgroupPath, rule: canonical(rule), from: { pids: "/", unified: "/" } };
    const asked = { rules: { g: [rule] }, processes: [processOf(9)], records: [record] };
    expect(moved(asked)).toEqual(["join 9 g/members"]);
    const { actions, reported } = plan({ ...asked, contended: new Map([[record.path, new Map([[seatOf(record), 1]])]]) });
    expect([actions.length, reported.length]).toEqual([0, 1]);
  });

  test("while manifests are broken nobody is sent back", () => {
    const record: MemberRecord = { pid: 9, start: 90, path: "g/members" as CgroupPath, rule: "{}", from: { pids: "/x" } };
    const asked = { rules: { g: [{ comm: "x" }] }, processes: [processOf(9, { place: "/holdfast/g/members" })], records: [record] };
    expect(moved(asked)).toEqual(["leave 9 g/members"]);
    expect(moved({ ...asked, held: true })).toEqual([]);
  });
});

test("children follow from where their parent was, and not from where somebody has put them; what is born inside is written down", () => {
  const rules = { g: [{ comm: "parent" }] };
  const processes = [
    processOf(9, { comm: "parent" }),
    processOf(10, { parent: 9 }),
    processOf(11, { parent: 10 }),
    processOf(12, { parent: 9, place: "/elsewhere" }),
    processOf(13, { parent: 9, place: "/holdfast/g/members" }),
  ];
  const record: MemberRecord = { pid: 9, start: 90, path: "g/members" as CgroupPath, rule: canonical({ comm: "parent" }), from: { pids: "/", unified: "/" } };
  expect(moved({ rules, processes, records: [record] })).toEqual(["join 9 g/members", "join 10 g/members", "join 11 g/members", "enroll 13 g/members"]);
});

test("a child that a manager has taken since is left to it, though it was a member once", () => {
  const processes = [processOf(9, { comm: "parent" }), processOf(10, { parent: 9, place: "/system.slice/x.service" })];
  const record: MemberRecord = { pid: 10, start: 100, path: "g/members" as CgroupPath, rule: "{}", from: { pids: "/", unified: "/" } };
  const { actions, memberships } = plan({ rules: { g: [{ comm: "parent" }] }, processes, records: [record], systemd: true });
  expect(actions.map(({ type }) => type)).toEqual(["join"]);
  expect(memberships?.get("LimitGroup/g")?.refused.map(({ candidate, owner }) => `${candidate.pid} ${owner.words}`)).toEqual(["10 the systemd unit x.service"]);
});

test("whatever there is, nothing moves that must not, and only to where it belongs or came from", () => {
  const place = fc.constantFrom(
    "/",
    "/a",
    "/a/b",
    "/system.slice/x.service",
    "/holdfast",
    "/holdfast/w@0",
    "/holdfast/g/members",
    "/holdfast/h/members",
    "/docker/0123456789ab",
  );
  const process = fc.record({
    pid: fc.integer({ min: 1, max: 60 }),
    parent: fc.integer({ min: 0, max: 60 }),
    place,
    comm: fc.constantFrom("x", "y"),
    uid: fc.constantFrom(0, 34),
  });
  const leafRule = fc.constantFrom<Member>(
    { comm: "x" },
    { user: "backup" },
    { cgroup: "a/**" },
    { cgroup: "system.slice/*" },
    { exe: "/**" },
    { not: { comm: "x" } },
  );
  const rule = fc.oneof(
    leafRule,
    fc.array(leafRule, { minLength: 1, maxLength: 2 }).map((any): Member => ({ any })),
  );
  const asked = fc.record({
    g: fc.array(rule, { maxLength: 3 }),
    h: fc.array(rule, { minLength: 1, maxLength: 3 }),
    processes: fc.uniqueArray(process, { selector: ({ pid }) => pid, maxLength: 12 }),
    records: fc.uniqueArray(fc.record({ pid: fc.integer({ min: 1, max: 60 }), stale: fc.boolean(), from: fc.constantFrom("/", "/a", "/gone") }), {
      selector: ({ pid }) => pid,
    }),
    systemd: fc.boolean(),
  });
  fc.assert(
    fc.property(asked, ({ g, h, processes, records, systemd }) => {
      // No circles: a parent is older.
      const all = processes.map((one) => processOf(one.pid, { ...one, parent: one.parent < one.pid ? one.parent : one.pid === 1 ? 0 : 1 }));
      const known = records.map(
        ({ pid, stale, from }): MemberRecord => ({
          pid,
          start: pid * 10 + (stale ? 1 : 0),
          path: "g/members" as CgroupPath,
          rule: "{}",
          from: { pids: from, unified: from },
        }),
      );
      const { actions } = plan({ rules: { g, h }, processes: all, records: known, systemd });
      for (const action of actions) {
        if (action.type !== "join" && action.type !== "leave" && action.type !== "enroll") throw new Error(`unexpected ${action.type}`);
        const { record } = action;
        const mover = all.find(({ pid }) => pid === record.pid);
        const at = mover?.cgroups.get("pids") ?? "";
        expect(mover?.start).toBe(record.start);
        expect(record.pid).toBeGreaterThan(1);
        for (let above = mover; above; above = all.find(({ pid }) => pid === above?.parent)) expect(above.pid).not.toBe(CONTROLLER);
        expect(`${at}/`.startsWith("/holdfast/") && !at.endsWith("/members")).toBe(false);
        expect(["g/members", "h/members"]).toContain(action.path);
        if (action.type === "leave") expect(at).toBe(`/holdfast/${action.path}`);
        // Out of what somebody looks after, only by a rule with a cgroup in it; what was in and was moved out by hand is moved back.
        const managed = at.startsWith("/docker") || (systemd && at.startsWith("/system.slice"));
        const wasIn = known.some(({ pid, start, from }) => pid === record.pid && start === record.start && from["pids"] === "/");
        const free = at === "/" || at.startsWith("/holdfast/") || (wasIn && !managed);
        if (action.type === "join" && !free) expect(record.rule).toContain('"cgroup"');
      }
      const pids = actions.map((action) => ("record" in action ? (action.record as MemberRecord).pid : 0));
      expect(new Set(pids).size).toBe(pids.length);
    }),
    { numRuns: 2000 },
  );
});
