/** The controller killed with -9 at random instants, over workloads that crash all the time: nothing lost, no wrong exit code, no twin. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { whyNotConfined } from "../support/confined.ts";
import { end, Live, PATIENCE, sleep, until, whyNotLive } from "../support/live.ts";
import { workload } from "../support/manifests.ts";

/** Fewer where the machine is emulated; a thousand by `npm run chaos`. */
const KILLS = Number(process.env["HOLDFAST_TEST_KILLS"] ?? 200);
/** The same seed is the same sequence of pauses. */
const SEED = Number(process.env["HOLDFAST_TEST_SEED"] ?? 42);
/** The manifests change after so many kills. */
const EDIT_EVERY = 10;

(whyNotLive === undefined ? describe : describe.skip)("chaos", () => {
  const live = new Live();
  const decoys = startDecoys(join(live.directory, "decoys"));
  afterAll(async () => {
    decoys?.kill("SIGKILL");
    await live.close();
  });

  test(
    `${KILLS} kills of the controller, seed ${SEED}`,
    async () => {
      const file = (name: string): string => join(live.directory, name);
      // Each instance looks for the one before it: one that is still alive, in the same cgroup, would be a twin.
      const alone = (name: string): string =>
        `p=$(cat ${file(`${name}.pid`)} 2>/dev/null); grep -qs /${live.root}/${name}@ /proc/$p/cgroup && ! grep -qs ") Z " /proc/$p/stat && echo ${name} >>${file("twins")}; echo $$$$ >${file(`${name}.pid`)}`;
      // Each run writes its number, in one step, and ends with it; the sleeper must never end.
      const crash = (name: string, seconds: string, more = ""): string =>
        workload(
          name,
          `{${more}command: [sh, -c, 'n=$(cat ${file(name)} 2>/dev/null || echo 0); n=$((n + 1)); echo $n >${file(name)}.new; mv ${file(name)}.new ${file(name)}; ${alone(name)}; echo "start $n"; sleep ${seconds}; exit $((n % 100 + 1))'], backoff: {initial: 0s, max: 0s}}`,
        );
      const probed = workload(
        "probed",
        `{command: [sh, -c, '${alone("probed")}; rm -f ${file("sick")}; sleep 1; touch ${file("sick")}; exec sleep 300'], livenessProbe: {exec: {command: [test, "!", -f, ${file("sick")}]}, periodSeconds: 1, failureThreshold: 1}, terminationGracePeriodSeconds: 1, backoff: {initial: 0s, max: 0s}}`,
      );
      const job = workload("job", `{command: [sh, -c, '${alone("job")}; date +%s >>${file("job")}; sleep 0.2'], schedule: "* * * * *", backoffLimit: 0}`);
      const rolling = (revision: number): string =>
        workload(
          "rolling",
          `{command: [sh, -c, '${alone("rolling$(HOLDFAST_ORDINAL)")}; exec sleep 300'], env: [{name: REVISION, value: "${revision}"}], replicas: 3, readinessProbe: {exec: {command: ["true"]}, periodSeconds: 1}, terminationGracePeriodSeconds: 1}`,
        );
      // A container under the same holder: it sees the processes of the host, to look for the one before it.
      const inside = `confined: true, namespaces: {pid: Host, cgroup: Host}, volumes: [{hostPath: ${live.directory}, mountPath: ${live.directory}}], `;
      const confined = whyNotConfined === undefined ? [crash("d", String(0.1 * PATIENCE ** 2), inside)] : [];
      const write = (revision: number): void =>
        live.write(
          [
            crash("a", "0.05"),
            crash("b", "0.2"),
            crash("c", "0"),
            ...confined,
            probed,
            job,
            rolling(revision),
            workload("sleeper", "{command: [sleep, '3600']}"),
          ].join("---\n"),
        );
      write(0);
      let sleeper: number | undefined;
      const recorded = new Map<string, { exitCode: number | null; reason: string }[]>([
        ["a", []],
        ["b", []],
        ["c", []],
      ]);
      if (confined.length > 0) recorded.set("d", []);
      const seen = new Set<string>();
      const jobs = new Set<string>();
      /** The output of each controller is the history of the exits that it recorded. */
      const collect = (lines: readonly Record<string, unknown>[]): void => {
        for (const { object, reason, msg } of lines) {
          const match = /^([abcd])@0 ended: (\w+) \(exit code (\d+)\)$/.exec(String(msg));
          if (match) recorded.get(match[1] ?? "")?.push({ exitCode: Number(match[3]), reason: match[2] ?? "" });
          else if (String(reason).startsWith("Job")) jobs.add(String(msg));
          else if (/ended|gone/.test(String(msg)) && !/Workload\/(probed|rolling|job)/.test(String(object))) seen.add(`${object}: ${msg}`);
          else if (/ExitStatusUnknown|twice/.test(String(msg))) seen.add(`${object}: ${msg}`);
        }
      };
      let random = SEED;
      for (let kill = 0; kill < KILLS; kill++) {
        if (kill % EDIT_EVERY === EDIT_EVERY - 1) write(Math.floor(kill / EDIT_EVERY) + 1);
        const controller = live.controller("--resync", "1s");
        random = (random * 1103515245 + 12345) % 2 ** 31;
        // Most do not get far; some live long enough for probes and rollouts.
        await sleep(random % (kill % EDIT_EVERY === 5 ? 4000 : 450));
        await end(controller.child, "SIGKILL");
        collect(controller.lines());
        const now = aliveIn(live.cgroup("", "sleeper@0"));
        if (sleeper === undefined) [sleeper] = now;
        else expect(now).toEqual([sleeper]);
        for (const replica of ["a@0", "b@0", "c@0", "d@0", "probed@0", "job@0", "rolling@0", "rolling@1", "rolling@2"])
          expect({ replica, mains: mainsOf(live, replica) <= 1 }).toEqual({ replica, mains: true });
      }
      const last = live.controller("--resync", "1s");
      const told = (name: string): boolean => last.lines().some(({ msg }) => String(msg).startsWith(`${name}@0 ended`));
      await until("the last controller has seen an end of each", () => [...recorded.keys()].every(told), 60_000);
      await until("a probe has restarted what it found sick", () => live.view("probed").status.restartCount, 60_000);
      const newest = Math.floor(KILLS / EDIT_EVERY);
      await until("all replicas have the newest revision", () => live.view("rolling").status.updatedReplicas === 3, 60_000);
      for (const ordinal of [0, 1, 2]) expect(readFileSync(`/proc/${live.pid("rolling", ordinal)}/environ`, "utf8")).toContain(`REVISION=${newest}\0`);
      last.child.kill("SIGTERM");
      await new Promise((resolve) => last.child.once("exit", resolve));
      collect(last.lines());

      expect([...seen]).toEqual([]);
      expect(existsSync(file("twins")) ? readFileSync(file("twins"), "utf8") : "").toBe("");
      // No decoy ever got a signal of ours, whoever had its number before.
      if (decoys)
        expect(
          readFileSync(`${join(live.directory, "decoys")}`, "utf8")
            .split("\n")
            .filter((line) => line.startsWith("hit")),
        ).toEqual([]);
      const due = existsSync(file("job"))
        ? readFileSync(file("job"), "utf8")
            .trim()
            .split("\n")
            .map((second) => Math.floor(Number(second) / 60))
        : [];
      // Emulated, a run may begin in the minute of the next one.
      if (PATIENCE === 1) expect(new Set(due).size).toBe(due.length);
      expect([...jobs].filter((line) => line.includes("failed"))).toEqual([]);
      for (const [name, exits] of recorded) {
        // The last run may have begun as the controller went: it writes its number to its file first, and to its log soon after.
        const told = (): number => (live.log(name).match(/^start /gm) ?? []).length;
        await until(`${name} has told of its last run`, () => told() >= Number(readFileSync(file(name), "utf8")));
        const starts = Number(readFileSync(file(name), "utf8"));
        const codes = exits.map(({ exitCode }) => exitCode);
        // A kill between the record and the telling of it may lose the telling, never the record; a code may be told twice, never wrong.
        const expected = Array.from({ length: starts }, (_, index) => ((index + 1) % 100) + 1);
        const unexpected = codes.filter((code) => !expected.includes(code ?? -1));
        expect({ name, starts, unexpected }).toEqual({ name, starts, unexpected: [] });
        expect(codes.length).toBeGreaterThan(0);
        expect({ name, started: told() }).toEqual({ name, started: starts });
        const record = JSON.parse(readFileSync(join(live.runDirectory, "replicas", `${name}@0.json`), "utf8")) as {
          record: { last: { exitCode: number; reason: string } };
        };
        expect(record.record.last.reason).toBe("Error");
        // The last recorded exit is that of one of the last two runs: none in between was lost or wrong.
        expect([((starts - 1) % 100) + 1, (starts % 100) + 1]).toContain(record.record.last.exitCode);
      }
    },
    KILLS * 5_000 + 180_000,
  );

  test(
    "a number that another process has now is never signalled",
    async () => {
      if (!existsSync("/proc/sys/kernel/ns_last_pid")) return;
      live.write(workload("w", "{command: [sleep, '3600'], terminationGracePeriodSeconds: 1}"), "w.yaml");
      const first = live.controller("--resync", "10m");
      const main = await until("it runs", () => live.pid("w"), 20_000);
      await end(first.child, "SIGKILL");
      // Without its holder the number is free as soon as it ends.
      const holder = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${main}/status`, "utf8"))?.[1]);
      process.kill(holder, "SIGKILL");
      process.kill(main, "SIGKILL");
      await until("the number is free", () => !existsSync(`/proc/${main}`), 20_000);
      const hits = join(live.directory, "recycled");
      // Takes the number: the next process gets the one after the last.
      const script = `while :; do echo $((${main} - 1)) >/proc/sys/kernel/ns_last_pid; sh -c '[ $$ = ${main} ] || exit 0; for s in HUP INT QUIT TERM USR1 USR2 CONT; do trap "echo hit $s >>${hits}" $s; done; echo here >>${hits}; while :; do sleep 0.1; done' & sleep 0.05; grep -qs here ${hits} && wait; done`;
      const taker = spawn("sh", ["-c", script], { stdio: "ignore", detached: true });
      try {
        await until("another process has it", () => readFileSync(hits, "utf8").includes("here"), 30_000);
        const second = live.controller("--resync", "1s");
        await until("it is started anew", () => live.pid("w") !== main && live.pid("w"), 20_000);
        live.write(undefined, "w.yaml");
        await until("it is gone", () => !existsSync(live.cgroup("", "w@0")), 20_000);
        second.child.kill("SIGTERM");
        expect(readFileSync(hits, "utf8")).toBe("here\n");
        expect(existsSync(`/proc/${main}`)).toBe(true);
      } finally {
        if (taker.pid !== undefined) process.kill(-taker.pid, "SIGKILL");
      }
    },
    120_000 * PATIENCE,
  );
});

/**
 * Processes that come and go all the time and so take the numbers of those that ended: each tells of every signal that reaches
 * it, and their parent of those that one ended.
 */
function startDecoys(log: string): ChildProcess | undefined {
  const program = `
    use POSIX ":sys_wait_h"; open(my $log, ">>", $ARGV[0]); $log->autoflush(1); print $log "begun\n";
    while (1) {
      for (1 .. 40) {
        my $pid = fork // last;
        next if $pid;
        $SIG{$_} = do { my $name = $_; sub { print $log "hit $$ $name\n" } } for qw(HUP INT QUIT TERM USR1 USR2 CONT);
        select(undef, undef, undef, 0.05 + rand 0.3);
        POSIX::_exit(0);
      }
      while ((my $pid = waitpid(-1, WNOHANG)) > 0) { print $log "hit $pid by signal " . ($? & 127) . "\n" if $? & 127 }
      select(undef, undef, undef, 0.1);
    }`;
  if (spawnSync("perl", ["-e", "1"]).status !== 0) return undefined;
  return spawn("perl", ["-MIO::Handle", "-e", program, log], { stdio: "ignore" });
}

function aliveIn(directory: string): number[] {
  try {
    return readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** How many attempts of a replica have a running main process: a second one would be a twin. */
function mainsOf(live: Live, replica: string): number {
  let names: string[] = [];
  try {
    names = readdirSync(live.cgroup("", ".holders"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(`${replica}@`))
      .map((entry) => entry.name);
  } catch {
    return 0;
  }
  return names.filter((attempt) =>
    aliveIn(join(live.cgroup("", ".holders"), attempt)).some((holder) => {
      try {
        const children = readFileSync(`/proc/${holder}/task/${holder}/children`, "utf8").split(" ").filter(Boolean);
        return children.some((child) => !/\) Z /.test(readFileSync(`/proc/${child}/stat`, "utf8")));
      } catch {
        return false;
      }
    }),
  ).length;
}
