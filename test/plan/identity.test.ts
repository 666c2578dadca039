import { describe, expect, test } from "@jest/globals";
import type { AccountFact } from "../../src/cgroup/machine.ts";
import { accountsOf, wrapOf } from "../../src/plan/identity.ts";

const accounts = new Map<string, AccountFact>([
  ["user:backup", { uid: 34, gid: 34, groups: [34, 4], name: "backup", home: "/var/backups" }],
  ["user:1234", { uid: 1234, gid: undefined, groups: [] }],
  ["user:nobdy", { problem: "there is no user nobdy" }],
  ["group:adm", { gid: 4 }],
  ["group:1234", { gid: 1234 }],
]);
const command = (identity: Parameters<typeof wrapOf>[0]): string => {
  const wrap = wrapOf(identity, { accounts, uid: 0 });
  return "obstacle" in wrap ? `! ${wrap.obstacle}` : wrap.wrap.map((words) => words.join(" ")).join(" | ");
};

test("nothing declared needs no program", () => expect(wrapOf({}, { accounts, uid: 0 })).toEqual({ wrap: [], env: [] }));

describe("a user", () => {
  test("has the groups of the database, and its login's variables", () => {
    expect(command({ user: "backup" })).toBe("setpriv --reuid=34 --regid=34 --groups=34,4 --");
    expect(wrapOf({ user: "backup" }, { accounts, uid: 0 })).toMatchObject({
      env: [
        ["HOME", "/var/backups"],
        ["USER", "backup"],
        ["LOGNAME", "backup"],
      ],
    });
  });
  test("has exactly the declared groups, and none when there are none", () => {
    expect(command({ user: "backup", group: "adm", supplementaryGroups: [] })).toBe("setpriv --reuid=34 --regid=4 --clear-groups --");
    expect(command({ user: "backup", supplementaryGroups: ["adm", 1234] })).toBe("setpriv --reuid=34 --regid=34 --groups=4,1234 --");
    expect(command({ supplementaryGroups: ["adm"] })).toBe("setpriv --groups=4 --");
  });
  test("without an entry needs a group; one that does not exist is an obstacle", () => {
    expect(command({ user: 1234 })).toMatch(/^! the user 1234 has no entry/);
    expect(command({ user: 1234, group: 1234 })).toBe("setpriv --reuid=1234 --regid=1234 --clear-groups --");
    expect(command({ user: "nobdy" })).toBe("! there is no user nobdy");
  });
});

test("what needs privilege comes before it is given up", () => {
  expect(
    command({
      user: "backup",
      nice: 5,
      cpuAffinity: "0-1",
      ioPriority: { class: "IOPRIO_CLASS_IDLE", priority: 4 },
      schedulingPolicy: { policy: "SCHED_RR", priority: 7 },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: "10", hard: "unlimited" }],
    }),
  ).toBe("taskset --cpu-list 0-1 | chrt --rr 7 | ionice -c 3 | nice -n 5 | prlimit --nofile=10:unlimited -- | setpriv --reuid=34 --regid=34 --groups=34,4 --");
  expect(accountsOf({ user: "backup", group: 4, supplementaryGroups: ["adm"] })).toEqual(["user:backup", "group:4", "group:adm"]);
});

test("a controller that is not root can be nobody else, and needs no program to be itself", () => {
  expect(wrapOf({ user: "backup" }, { accounts, uid: 34 })).toMatchObject({ wrap: [], env: [["HOME", "/var/backups"], expect.anything(), expect.anything()] });
  for (const identity of [{ user: 1234, group: 1234 }, { group: "adm" }, { user: "backup", supplementaryGroups: [] }])
    expect(wrapOf(identity, { accounts, uid: 34 })).toEqual({
      obstacle: "the controller runs as user 34, and can start nothing as another user or with other groups",
    });
});
