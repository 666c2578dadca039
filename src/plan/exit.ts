/** Knows what a wait status means. */
import { constants } from "node:os";
import type { AttemptMeta, ObservedMain, Terminated } from "./observed.ts";

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Exit codes of the launching shell, before the command's own exec (host/launch.ts). */
const LAUNCH_EXIT = { placement: 125, workingDir: 124, notExecutable: 126, notFound: 127 } as const;

/**
 * How a main process ended, from its wait status (wait(2): low 7 bits the signal, next byte the exit code) and whether
 * the kernel's OOM killer was at work in its cgroup since it started.
 */
export function terminated(main: ObservedMain, meta: AttemptMeta, oomKills: number, now: number): Terminated {
  const signalNumber = main.waitStatus & 0x7f;
  const exitCode = (main.waitStatus >> 8) & 0xff;
  const signal = signalNumber === 0 ? null : (SIGNAL_NAMES.get(signalNumber) ?? `signal ${signalNumber}`);
  const times = { startedAt: meta.startedAt, finishedAt: new Date(now).toISOString() };
  if (main.neverExeced && signal === null) return { exitCode, signal, reason: "StartError", message: startError(exitCode), ...times };
  if (signal === "SIGKILL" && oomKills > meta.oomKills) return { exitCode: null, signal, reason: "OOMKilled", ...times };
  return { exitCode: signal === null ? exitCode : null, signal, reason: signal === null && exitCode === 0 ? "Completed" : "Error", ...times };
}

function startError(exitCode: number): string {
  switch (exitCode) {
    case LAUNCH_EXIT.placement:
      return "could not be placed in its cgroup";
    case LAUNCH_EXIT.workingDir:
      return "workingDir does not exist or cannot be entered";
    case LAUNCH_EXIT.notExecutable:
      return "the command cannot be executed (permission, or not a program)";
    case LAUNCH_EXIT.notFound:
      return "the command was not found";
    default:
      return `the launch failed with exit code ${exitCode}`;
  }
}
