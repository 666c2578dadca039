/** Knows why workloads start and end, in the words in which it is told. */

export type StartReason = "first start" | "new revision" | "restart" | "restart asked for" | "scheduled";

/** The first ones ask for an end that says nothing about the workload; after the others it has failed. */
export type StopReason =
  | "not declared any more"
  | "new revision"
  | "started twice"
  | "restart asked for"
  | "replaced by the next run"
  | "active deadline exceeded"
  | "startup probe failed"
  | "liveness probe failed"
  | "postStart hook failed";

/** Why it is not started again although its policy says so. */
export type GaveUp = "RestartLimitExceeded" | "BackoffLimitExceeded" | "DeadlineExceeded";

const FAILURES: ReadonlySet<StopReason> = new Set<StopReason>([
  "active deadline exceeded",
  "startup probe failed",
  "liveness probe failed",
  "postStart hook failed",
]);

/** Whether an end for this reason counts as a failure of the workload. */
export const isFailure = (reason: StopReason | undefined): boolean => reason !== undefined && FAILURES.has(reason);

/** Whether an end that was begun for this reason goes on, whatever is declared meanwhile. */
export const isIrrevocable = (reason: StopReason | undefined): boolean =>
  isFailure(reason) || reason === "restart asked for" || reason === "replaced by the next run";
