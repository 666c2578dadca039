/** `capture`: a host as one file, against which others look without root; and without secrets. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Live, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";
import { Outside } from "../support/outside.ts";

(whyNotLive === undefined ? describe : describe.skip)("capture", () => {
  let live: Live;
  let outside: Outside;
  beforeEach(() => {
    live = new Live();
    outside = new Outside(live.root);
    outside.handDown(["pids"]);
    outside.make("theirs");
  });
  afterEach(async () => {
    await live.close();
    await outside.close();
  });

  const SECRETS = ["hunter2", "--password=s3cr3t", "Bearer abc"];
  const manifest = (limit: number): string =>
    `${group("batch", `{limits: {pids.max: ${limit}}, members: [{comm: hf-captured, cgroup: ${outside.name}}]}`)}---
${group("theirs", `{cgroupPath: ${outside.name}/*, limits: {pids.max: 30}}`)}---
${workload("w", `{limitGroupRef: {name: batch}, command: [sleep, '1000'], env: [{name: DB_PASSWORD, value: ${SECRETS[0]}}], livenessProbe: {exec: {command: [echo, '${SECRETS[1]}']}, periodSeconds: 1}}`)}---
${workload("x", `{command: [sh, -c, 'sleep 1000; : ${SECRETS[1]}'], readinessProbe: {httpGet: {port: 1, httpHeaders: [{name: Authorization, value: '${SECRETS[2]}'}]}}}`)}`;
  /** As nobody, from another directory: whoever looks at the file. */
  const elsewhere = (...args: string[]) =>
    spawnSync("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, join(process.cwd(), "bin/holdfast.js"), ...args], {
      encoding: "utf8",
      cwd: "/",
      env: { PATH: process.env["PATH"] ?? "" },
    });

  test("diff, audit and validate say of the file what they say of the host, without root; and no secret is in it", async () => {
    const member = outside.start([outside.program("hf-captured", "/bin/sleep"), "1000"]);
    await live.started(manifest(40));
    await until("it runs", () => live.pid("w") > 0 && live.pid("x") > 0 && live.procs("pids", "batch/members").includes(member));
    await until("the status is written", () => readFileSync(join(live.runDirectory, "status.json"), "utf8").includes("batch/members"));
    await live.stop();
    live.behind("pids", "batch", "pids.max", "9");
    const file = join(live.directory, "host.json");
    expect(live.holdfast("capture", file)).toMatchObject({ code: 0, stderr: expect.stringMatching(/cgroup directories and \d+ processes of/) });
    const text = readFileSync(file, "utf8");
    for (const secret of SECRETS) expect(text).not.toContain(secret);
    // Elsewhere there is only that file, and the manifests.
    const copy = join(live.directory, "copy");
    cpSync(live.manifests, copy, { recursive: true });
    chmodSync(live.directory, 0o755);
    chmodSync(file, 0o644);
    const options = ["--snapshot", file, "-f", copy];
    const lines = (output: string): string[] =>
      output
        .split("\n")
        .map((line) => line.replace(/ {2}\S*a\.yaml:\d+$/, ""))
        .filter((line) => /^ {2}[~+-]/.test(line));
    const here = live.holdfast("diff");
    const there = elsewhere("diff", ...options);
    expect({ status: there.status, lines: lines(there.stdout), stderr: there.stderr.includes("Error") }).toEqual({
      status: 1,
      lines: lines(here.stdout),
      stderr: false,
    });
    expect(lines(there.stdout)).toEqual(["  ~ pids.max 9 → 40  drift"]);
    const audit = elsewhere("audit", "-o", "json", ...options);
    expect(audit.status).toBe(1);
    const { drift, owners } = JSON.parse(audit.stdout) as {
      drift: unknown[];
      owners: { kind: string; processes: { pid: number; exposure: { most: number } }[] }[];
    };
    expect(drift).toMatchObject([{ field: "pids.max", cause: "drift" }]);
    const own = owners.find(({ kind }) => kind === "holdfast")?.processes.map(({ pid }) => pid) ?? [];
    expect(own).toEqual(expect.arrayContaining([member, live.pid("w")]));
    // Of a manifest that is only thought about.
    writeFileSync(join(copy, "a.yaml"), manifest(50).replace("pids.max: 30", "pids.max: 31"));
    expect(lines(elsewhere("diff", ...options).stdout)).toEqual(
      expect.arrayContaining(["  ~ pids.max 9 → 50", `  ~ pids.max 30 → 31 in ${outside.name}/theirs`]),
    );
    writeFileSync(join(copy, "b.yaml"), group("other", "{limits: {io.max: [{device: /dev/nosuch, rbps: 5}]}}"));
    expect(elsewhere("validate", ...options)).toMatchObject({ status: 1, stdout: expect.stringContaining("DeviceNotFound") });
  });

  test("what is no snapshot is said to be none", () => {
    const file = join(live.directory, "x.json");
    for (const text of ["", "{}", "[]", '{"format":2}', "null"]) {
      writeFileSync(file, text);
      expect(live.holdfast("diff", "--snapshot", file)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/^holdfast: --snapshot: .*\n$/) });
    }
    expect(live.holdfast("audit", "--snapshot", "/no/such").stderr).toContain("/no/such does not exist");
  });

  test("it replaces regular files only; and what is damaged is told in a line", () => {
    for (const [file, message] of [
      ["/dev/null", "/dev/null is no regular file"],
      [live.directory, "is no regular file"],
      [`${live.directory}/no/x`, `there is no directory ${live.directory}/no`],
    ] as const)
      expect(live.holdfast("capture", file)).toMatchObject({ code: 1, stderr: `holdfast: capture: ${file === live.directory ? `${file} ` : ""}${message}\n` });
    const file = `${live.directory}/host.json`;
    live.write(group("batch"));
    expect(live.holdfast("capture", file).code).toBe(0);
    const whole = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    const damage: Record<string, unknown> = {
      files: { a: 1 },
      directories: null,
      processes: [null],
      attempts: [null],
      applied: null,
      accounts: [7],
      base: null,
      images: {},
    };
    for (const [field, value] of Object.entries(damage)) {
      writeFileSync(file, JSON.stringify({ ...whole, [field]: value }));
      expect(live.holdfast("audit", "--snapshot", file)).toMatchObject({
        code: 2,
        stderr: `holdfast: --snapshot: ${file}: it is damaged: ${field} is not what it should be\n`,
      });
    }
  });
});
