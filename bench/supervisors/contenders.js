// Knows how each supervisor is told to keep `count` programs running, and which processes are its own.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HOLDFAST } from "../build.js";
import { end, finish, memory, removeRoot, rootNamed, start } from "../sandbox.js";

const write = (file, text, mode = 0o644) => {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text, { mode });
};
const indexes = (count) => Array.from({ length: count }, (_, index) => index);
const quiet = ["ignore", "ignore", "ignore"];

/** All descendants of a process. */
function below(pid) {
  let children = [];
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
  return children.flatMap((child) => [child, ...below(child)]);
}
const commandOf = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
};
/** A supervisor with its helpers, without the programs that it keeps running. */
const withHelpers = (pid) => [pid, ...below(pid)].filter((each) => commandOf(each) !== "beacon");

/** A directory of services, each with a script `run`, as runit and s6 read it. */
const services = (scanner) => ({
  begin: (directory, count, program) => {
    for (const index of indexes(count)) write(join(directory, `w${index}`, "run"), `#!/bin/sh\nexec ${program(index).join(" ")}\n`, 0o755);
    const child = start(scanner, [directory], quiet);
    return {
      own: () => withHelpers(child.pid),
      // They hand SIGTERM to nobody: HUP makes runsvdir end its services, TERM s6-svscan.
      stop: async () => {
        if (scanner === "runsvdir") child.kill("SIGHUP");
        await end(child);
      },
    };
  },
});

export const CONTENDERS = {
  holdfast: {
    begin: (directory, count, program) => {
      const root = rootNamed(`supervisor-${count}`);
      const documents = indexes(count).map(
        (index) =>
          `apiVersion: holdfast.dev/v1alpha1\nkind: Workload\nmetadata: { name: w${index} }\nspec:\n  command: ${JSON.stringify(program(index))}\n  backoff: { initial: 0s, max: 0s }\n`,
      );
      write(join(directory, "manifests", "all.yaml"), documents.join("---\n"));
      const run = join(memory, root);
      const words = ["--root", root, "--run-dir", run, "--log-dir", join(directory, "log"), "--log-format", "json"];
      const child = start(process.execPath, [HOLDFAST, "run", "--ephemeral", "-f", join(directory, "manifests"), ...words], quiet);
      return {
        own: () => withHelpers(child.pid),
        stop: async () => {
          await end(child);
          removeRoot(root);
          rmSync(run, { recursive: true, force: true });
        },
      };
    },
  },
  supervisord: {
    begin: (directory, count, program) => {
      const programs = indexes(count).map(
        (index) => `[program:w${index}]\ncommand=${program(index).join(" ")}\nautorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n`,
      );
      const head = `[supervisord]\nnodaemon=true\nlogfile=${directory}/log\npidfile=${directory}/pid\nchildlogdir=${directory}\n`;
      write(join(directory, "supervisord.conf"), `${head}${programs.join("")}`);
      const child = start("supervisord", ["-n", "-c", join(directory, "supervisord.conf")], quiet);
      return { own: () => withHelpers(child.pid), stop: () => end(child) };
    },
  },
  runit: services("runsvdir"),
  s6: services("s6-svscan"),
  pm2: {
    begin: (directory, count, program, { pm2 }) => {
      const apps = indexes(count).map((index) => {
        const [script, ...args] = program(index);
        return { name: `w${index}`, script, args, interpreter: "none", exec_mode: "fork", out_file: "/dev/null", error_file: "/dev/null" };
      });
      write(join(directory, "apps.json"), JSON.stringify({ apps }));
      process.env.PM2_HOME = join(directory, "home");
      finish(pm2, ["start", join(directory, "apps.json")]);
      const pid = Number(readFileSync(join(directory, "home", "pm2.pid"), "utf8"));
      return { own: () => withHelpers(pid), stop: async () => void finish(pm2, ["kill"]) };
    },
  },
};
