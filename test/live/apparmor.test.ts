/** An AppArmor profile denies what it says, inside a container and in a plain process; where AppArmor is in use (the guest). */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { whyNotConfined } from "../support/confined.ts";
import { Live } from "../support/live.ts";
import { workload } from "../support/manifests.ts";

const isInUse = (): boolean => {
  try {
    return readFileSync("/sys/module/apparmor/parameters/enabled", "utf8").trim() === "Y" && spawnSync("apparmor_parser", ["--version"]).status === 0;
  } catch {
    return false;
  }
};

const NAME = `holdfast-test-${process.pid}`;
const PROFILE = `profile ${NAME} flags=(attach_disconnected,mediate_deleted) {
  file, capability, signal, ptrace, mount, umount, pivot_root, network unix,
  deny /tmp/secret w,
  deny network inet,
}
`;

(whyNotConfined === undefined ? describe : describe.skip)("AppArmor", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());
  const context = (profile: string): string => `securityContext: {appArmorProfile: {type: Localhost, localhostProfile: ${profile}}}`;
  const script =
    'read -r label </proc/self/attr/current; echo $label; (echo x >/tmp/secret) 2>/dev/null || echo secret denied; echo x >/tmp/open && echo open; perl -e "socket(S,2,1,0) or print qq(inet \\$!\\n)"';

  (isInUse() ? test : test.skip).each(["confined: true, ", ""])("denies what the profile says (%s)", async (confined) => {
    const file = join(live.directory, "profile");
    writeFileSync(file, PROFILE);
    expect(spawnSync("apparmor_parser", ["--replace", file], { encoding: "utf8" })).toMatchObject({ status: 0 });
    try {
      await live.apply(workload("w", `{command: [sh, -c, ${JSON.stringify(script)}], restartPolicy: Never, ${confined}${context(NAME)}}`));
      await live.settle("it has ended", () => live.view("w").status.replicaStatuses?.[0]?.state.terminated);
      expect(live.log("w")).toBe(`${NAME} (enforce)\nsecret denied\nopen\ninet Permission denied\n`);
    } finally {
      spawnSync("apparmor_parser", ["--remove", file]);
    }
  });

  test("of a name that is not loaded, or where there is none, starts nothing", async () => {
    await live.apply(workload("w", `{command: [sleep, '300'], confined: true, ${context("nosuch")}}`));
    expect(JSON.stringify(live.view("w").status.conditions)).toMatch(
      isInUse()
        ? /ConfinementUnavailable.*no AppArmor profile nosuch is loaded.*apparmor_parser -r/
        : /ConfinementUnavailable.*AppArmor is not in use on this host/,
    );
    expect(live.procs("", "w@0")).toEqual([]);
  });
});
