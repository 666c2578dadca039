/** Knows how outcomes get into the audit log; what cannot be written down is told, and holds nothing up. */
import type { Resource } from "../api/resource.ts";
import { AuditLog, auditFile, headFile } from "../host/auditLog.ts";
import type { HostOptions } from "../host/host.ts";
import { accountOf } from "../plan/account.ts";
import type { Action } from "../plan/action.ts";
import { sourceOf } from "../plan/source.ts";
import type { Outcome } from "./apply.ts";

export type Auditor = (outcomes: readonly Outcome[], resourceOf: (action: Action) => Resource | undefined) => void;

/** `warn` hears once of each trouble with the file. */
export function auditorOf(
  { root, runDirectory, logDirectory }: Pick<HostOptions, "root" | "runDirectory" | "logDirectory">,
  warn: (message: string) => void,
): Auditor {
  const log = new AuditLog(auditFile(logDirectory, root), headFile(runDirectory));
  let trouble: string | undefined;
  return (outcomes, resourceOf) => {
    const entries = outcomes.flatMap(({ action, error, skipped }): object | object[] => {
      if (skipped) return [];
      const resource = resourceOf(action);
      return accountOf(action, error, resource && sourceOf(action, resource)) ?? [];
    });
    try {
      log.append(entries);
      trouble = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message !== trouble) warn(`the audit log cannot be written: ${message}`);
      trouble = message;
    }
  };
}
