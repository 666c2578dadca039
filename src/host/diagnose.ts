/** Knows why a command could not be executed: which file, and which errno (execve(2)). */
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import { beginningOf } from "./regular.ts";

/** Exit codes of a shell, env(1) and their kind when the command could not be executed (POSIX, "Exit Status for Commands"). */
const NOT_FOUND = 127;

/** `/srv/app/run: ENOENT: …`, as a look at the file tells now; a name without a slash was looked for in the workload's PATH. */
export function whyNotExecuted(command: string, workingDir: string, exitCode: number): string {
  if (command.includes("/")) return whyNot(resolve(workingDir, command));
  return exitCode === NOT_FOUND ? `${command}: ENOENT: it was not found in the workload's PATH` : `${command}: EACCES or ENOEXEC: it cannot be executed`;
}

function whyNot(file: string): string {
  try {
    if (!statSync(file).isFile()) return `${file}: EACCES: it cannot be executed: it is no regular file`;
    accessSync(file, constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT"
      ? `${file}: ENOENT: it was not found`
      : `${file}: ${code}: it cannot be executed${code === "EACCES" ? ": it has no permission to be (chmod +x)" : ""}`;
  }
  const interpreter = /^#! *(\S+)/.exec(firstWords(file))?.[1];
  if (interpreter !== undefined && !statSync(interpreter, { throwIfNoEntry: false })) return `${file}: ENOENT: its interpreter ${interpreter} was not found`;
  return `${file}: it cannot be executed: EACCES for this user, or ENOEXEC (no program for this machine)`;
}

function firstWords(file: string): string {
  try {
    return beginningOf(file, 256).toString("latin1");
  } catch {
    return "";
  }
}
