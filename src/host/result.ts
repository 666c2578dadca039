/** Knows how a hook or a probe went, and when its time is over. */
import type { TaskState } from "../plan/observed.ts";

export type Result = Exclude<TaskState, "running">;

export const OK: Result = { ok: true };
export const failed = (message: string): Result => ({ ok: false, message });

/**
 * Calls back when the time is over. What has arrived meanwhile is heard first: a controller that was busy, or stopped, must not
 * take its own lateness for the workload's.
 */
export function deadline(timeout: number, over: () => void): NodeJS.Timeout {
  return setTimeout(() => setImmediate(over), timeout);
}

export const timedOut = (timeout: number): Result => failed(`timed out after ${timeout / 1000}s`);
