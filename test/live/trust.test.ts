/** Which manifests are followed: as root, what only root can change; and with a key, what was signed by it. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, sleep, until, whyNotLive } from "../support/live.ts";
import { group } from "../support/manifests.ts";
import { has } from "../support/programs.ts";

const signs = has("ssh-keygen");

(whyNotLive === undefined ? describe : describe.skip)("trusted manifests", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const limit = (): string => live.read("pids", "batch", "pids.max");

  test("a manifest that others can change is not followed, and what was in force stays", async () => {
    const { told } = await live.started(group("batch", "{limits: {pids.max: 40}}"), "--resync", "1s");
    const file = join(live.manifests, "a.yaml");
    live.write(group("batch", "{limits: {pids.max: 50}}"));
    await until("it is followed", () => limit() === "50");
    chownSync(file, 1234, 0);
    live.write(group("other", "{limits: {pids.max: 5}}"), "b.yaml");
    chmodSync(join(live.manifests, "b.yaml"), 0o666);
    await until("that is told", () => told("FileUntrusted").some((line) => line.includes("may be written by everybody")));
    await until("of both", () => told("FileUntrusted").some((line) => line.includes("belongs to user 1234")), 70_000);
    live.behind("pids", "batch", "pids.max", "9");
    await until("what was in force is kept so", () => limit() === "50");
    expect(live.holdfast("apply")).toMatchObject({ code: 1 });
    expect(live.holdfast("diff", "--trust", "any").stdout).not.toContain("FileUntrusted");
    expect(live.holdfast("validate").code).toBe(0);
  });

  (signs ? test : test.skip)("with a key, only what was signed by it is followed", async () => {
    const key = join(live.directory, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const sign = (): void => {
      const script = `sha256sum *.yaml >manifests.sha256 && rm -f manifests.sha256.sig && ssh-keygen -q -Y sign -n holdfast -f ${key} manifests.sha256`;
      execFileSync("sh", ["-c", script], { cwd: live.manifests, stdio: "ignore" });
    };
    live.write(group("batch", "{limits: {pids.max: 40}}"));
    expect(live.holdfast("diff", "--manifest-key", `${key}.pub`)).toMatchObject({ code: 2, stderr: expect.stringContaining("SignatureRefused") });
    sign();
    const { told } = await live.started(undefined, "--resync", "10m", "--manifest-key", `${key}.pub`);
    expect(limit()).toBe("40");
    live.write(group("batch", "{limits: {pids.max: 50}}"));
    await sleep(500);
    expect([limit(), told("SignatureRefused")]).toEqual(["40", []]);
    sign();
    await until("it is followed once it is signed", () => limit() === "50");
    live.write(group("evil", "{limits: {pids.max: 5}}"), "b.yaml");
    await until("what is not signed is told", () => told("SignatureRefused").some((line) => line.includes("b.yaml is not in manifests.sha256")));
    live.write(undefined, "a.yaml");
    live.behind("pids", "batch", "pids.max", "9");
    await until("what was in force stays, and is looked after", () => limit() === "50");
  });
});
