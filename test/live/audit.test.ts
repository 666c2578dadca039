/** `audit`: opens nothing for writing, tells who looks after what, and how far each process is confined. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { whyNotConfined } from "../support/confined.ts";
import { Live, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";
import { Outside } from "../support/outside.ts";
import { has } from "../support/programs.ts";

interface Json {
  readonly owners: readonly {
    readonly owner: string;
    readonly kind: string;
    readonly governed: boolean;
    readonly processes: readonly {
      readonly pid: number;
      readonly cgroup: string;
      readonly exposure: { readonly most: number; readonly failed: readonly string[] };
    }[];
  }[];
}

(whyNotLive === undefined ? describe : describe.skip)("audit", () => {
  let live: Live;
  beforeEach(() => {
    live = new Live();
  });
  afterEach(() => live.close());

  const json = (): Json => JSON.parse(live.holdfast("audit", "-o", "json").stdout) as Json;
  const exposureOf = (pid: number) =>
    json()
      .owners.flatMap(({ processes }) => processes)
      .find((one) => one.pid === pid)?.exposure;

  (has("strace") ? test : test.skip)("opens nothing for writing, and changes nothing: seen from the outside", async () => {
    await live.apply(`${group("batch", "{limits: {pids.max: 40}}")}---\n${workload("w")}`);
    await live.engine.save();
    live.behind("pids", "batch", "pids.max", "9");
    const trace = join(live.directory, "trace");
    const calls =
      "open,openat,openat2,creat,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,fchownat,kill,tkill,setxattr,mount,umount2";
    const args = [
      "-f",
      "-qq",
      "-e",
      `trace=${calls}`,
      "-e",
      "signal=none",
      "-o",
      trace,
      process.execPath,
      "bin/holdfast.js",
      "audit",
      "-o",
      "json",
      ...live.options,
    ];
    const { NODE_EXTRA_CA_CERTS: _, NODE_OPTIONS: __, ...env } = process.env;
    const { status, stdout } = spawnSync("strace", args, { encoding: "utf8", env });
    expect({ status, drift: (JSON.parse(stdout) as { drift: unknown[] }).drift.length }).toEqual({ status: 1, drift: 1 });
    const lines = readFileSync(trace, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !/<unfinished|resumed>|\+\+\+ exited/.test(line));
    expect(lines.length).toBeGreaterThan(50);
    const changing = lines.filter((line) => !/\bopen(at2?)?\(/.test(line) || /O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)/.test(line));
    expect(changing.filter((line) => !/"\/dev\/(null|tty)"/.test(line))).toEqual([]);
    // What is said of a trace that shows writes: this one is seen.
    const seen = spawnSync("strace", ["-f", "-qq", "-e", `trace=${calls}`, "sh", "-c", `echo x >${trace}.x`], { encoding: "utf8" });
    expect(seen.stderr).toMatch(/O_WRONLY/);
  });

  (whyNotConfined === undefined ? test : test.skip)("the more a workload is confined, the less exposed it is, as systemd-analyze ranks units", async () => {
    const user = "user: 65534, group: 65534";
    const tight = "confined: true, securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}";
    const spec = (more: string): string => `{command: [sleep, '1000'], limits: {pids.max: 20, memory.max: 64Mi}${more === "" ? "" : `, ${more}`}}`;
    await live.apply([workload("plain", spec("")), workload("other", spec(user)), workload("tight", spec(tight))].join("---\n"));
    await live.settle(
      "all run",
      () => ["plain", "other", "tight"].every((name) => live.pid(name) > 0) && readFileSync(`/proc/${live.pid("tight")}/comm`, "utf8").startsWith("sleep"),
    );
    const [plain = 0, other = 0, confined = 0] = ["plain", "other", "tight"].map((name) => exposureOf(live.pid(name))?.most);
    expect(plain > other && other > confined).toBe(true);
    expect(plain).toBeGreaterThan(6);
    expect(confined).toBeLessThan(3);
    expect(live.holdfast("audit", "--max-exposure", String(confined))).toMatchObject({ code: 1, stderr: expect.stringContaining(`is more than ${confined}`) });
    expect(live.holdfast("audit", "--max-exposure", "9.9").code).toBe(0);
    if (!has("systemd-analyze")) return;
    const units: Readonly<Record<string, string>> = {
      plain: "",
      other: "User=nobody\nGroup=nogroup\n",
      tight:
        "PrivateNetwork=yes\nPrivateTmp=yes\nPrivateDevices=yes\nProtectSystem=strict\nProtectProc=invisible\nProtectKernelTunables=yes\nNoNewPrivileges=yes\nCapabilityBoundingSet=\nSystemCallFilter=@system-service\n",
    };
    const scores = Object.entries(units).map(([name, text]) => {
      const file = join(live.directory, `${name}.service`);
      writeFileSync(file, `[Service]\nExecStart=/bin/sleep 1000\n${text}`);
      const { stdout } = spawnSync("systemd-analyze", ["security", "--offline=yes", "--no-pager", file], { encoding: "utf8" });
      return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    });
    const [first = 0, second = 0, third = 0] = scores;
    expect(first > second && second > third).toBe(true);
  });

  test("who looks after what: Holdfast's own, its holders, what it governs, and what nobody manages", async () => {
    const outside = new Outside(live.root);
    try {
      for (const name of ["governed", "other"]) outside.make(name);
      const [one, other] = ["governed", "other"].map((name) => outside.start(["sleep", "1000"], name)) as [number, number];
      outside.handDown([]);
      await live.apply(`${workload("w")}---\n${group("theirs", `{cgroupPath: "${outside.name}/governed", limits: {}}`)}`);
      await until("it runs", () => live.pid("w") > 0);
      const { owners } = json();
      const ownerOf = (pid: number) => owners.find(({ processes }) => processes.some((process) => process.pid === pid));
      expect(ownerOf(live.pid("w"))?.kind).toBe("holdfast");
      expect(owners.some(({ kind }) => kind === "holder")).toBe(true);
      expect(ownerOf(one)).toMatchObject({ owner: `whoever made the cgroup ${outside.name}/governed`, governed: true });
      expect(ownerOf(other)).toMatchObject({ kind: "unknown", governed: false });
      expect(live.holdfast("audit").stderr).toMatch(/\d+ process(es are| is) unmanaged/);
      const page = live.holdfast("audit", "-o", "html").stdout;
      expect(page).toContain(`whoever made the cgroup ${outside.name}/other`);
    } finally {
      await outside.close();
    }
  });
});
