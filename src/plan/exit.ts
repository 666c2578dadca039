/** Knows what a wait status means. */
import { constants } from "node:os";
import type { AttemptMeta, ObservedMain, Stopping, Terminated } from "./observed.ts";
import { isFailure } from "./reasons.ts";

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Exit codes of the launching shell, before the command's own exec (host/launch.ts). */
const LAUNCH_EXIT = { placement: 125, workingDir: 124, oomScore: 123 } as const;

/** wait(2): the second byte, where no signal ended it. */
export const exitCodeOf = (waitStatus: number): number => (waitStatus >> 8) & 0xff;

/**
 * How a main process ended, from its wait status (wait(2): low 7 bits the signal, next byte the exit code) and whether
 * the kernel's OOM killer was at work in its cgroup since it was last seen alive. `stopped`: what Holdfast itself had begun.
 */
export function terminated(main: ObservedMain, meta: AttemptMeta, stopped: Stopping | undefined, oomKilled: boolean, now: number): Terminated {
  const signalNumber = main.waitStatus & 0x7f;
  const exitCode = exitCodeOf(main.waitStatus);
  const signal = signalNumber === 0 ? null : (SIGNAL_NAMES.get(signalNumber) ?? `signal ${signalNumber}`);
  const times = { startedAt: meta.startedAt, finishedAt: new Date(now).toISOString() };
  if (stopped && isFailure(stopped.reason)) {
    const reason = stopped.reason === "active deadline exceeded" ? "DeadlineExceeded" : "Error";
    return { exitCode: signal === null ? exitCode : null, signal, reason, ...(stopped.message === undefined ? {} : { message: stopped.message }), ...times };
  }
  if (typeof main.stage === "number" && signal === null)
    return { exitCode, signal, reason: "InitError", message: `init command ${meta.inits?.[main.stage] ?? main.stage}: exit code ${exitCode}`, ...times };
  if ((main.neverExeced || main.stage !== undefined) && signal === null)
    return { exitCode, signal, reason: "StartError", message: startError(exitCode, main, meta), ...times };
  if (signal === "SIGKILL" && !stopped && oomKilled) return { exitCode: null, signal, reason: "OOMKilled", ...times };
  return { exitCode: signal === null ? exitCode : null, signal, reason: signal === null && exitCode === 0 ? "Completed" : "Error", ...times };
}

/** Exit codes of a shell: it could not fork, and what it ran was killed. */
const [NO_FORK, KILLED] = [2, 137];

function startError(exitCode: number, { notExecuted, stage }: ObservedMain, { container }: AttemptMeta): string {
  if (notExecuted !== undefined) return notExecuted;
  if (container && exitCode === NO_FORK) return "the container could not be made: pids.max is too small to start it (it takes 3), or nothing can be forked";
  if (container && exitCode === KILLED) return "the runtime was killed while it made the container: memory.max may be too small for that (it takes some MiB)";
  if (stage !== undefined) return `${stage} failed with exit code ${exitCode} (see its log)`;
  switch (exitCode) {
    case LAUNCH_EXIT.placement:
      return "could not be placed in its cgroup";
    case LAUNCH_EXIT.workingDir:
      return "workingDir does not exist or cannot be entered";
    case LAUNCH_EXIT.oomScore:
      return "oomScoreAdj could not be set (below 0 it takes CAP_SYS_RESOURCE)";
    default:
      return `the launch failed with exit code ${exitCode}`;
  }
}
