/** Knows `holdfast audit verify-log`: whether the audit log is what was written. */
import { auditFiles, type Head, headFile, verifyLog } from "../host/auditLog.ts";
import { readJson } from "../host/records.ts";
import type { AuditOptions } from "./audit.ts";
import { placesOf, UsageError } from "./context.ts";
import { note, out, plural } from "./print.ts";

export function verify(options: AuditOptions & { head?: string }): number {
  if (options.output !== "text" && options.output !== "json") throw new UsageError(`verify-log: expected -o text or json, found ${options.output}`, 2);
  const { root, runDirectory, logDirectory } = placesOf(options);
  if (options.head !== undefined && !/^[0-9a-f]{64}$/.test(options.head)) throw new UsageError("--head: expected the 64 hexadecimal digits of a hash", 2);
  const files = auditFiles(logDirectory, root);
  const file = files.at(-1) ?? "";
  const known = readJson(headFile(runDirectory)) as Head | undefined;
  let verified: ReturnType<typeof verifyLog>;
  try {
    verified = verifyLog(files, options.head ?? known?.hash);
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`, 2);
  }
  const { flaws, first, head, count, found } = verified;
  if (count === 0 && found) throw new UsageError(`${file}: there is no audit log`, 2);
  const missing = found ? [] : [{ file, line: count, message: missingHead(options.head, known) }];
  const all = [...flaws, ...missing];
  if (options.output === "json")
    out(JSON.stringify({ whole: all.length === 0, file, lines: count, first, last: head?.seq, head: head?.hash, flaws: all }, null, 2));
  else {
    for (const { file: where, line, message } of all) out(`${where}:${line}: ${message}`);
    note(
      all.length > 0
        ? `${file}: ${plural(all.length, "flaw")} in ${plural(count, "line")}`
        : `${file}: whole, lines ${first ?? 0} to ${head?.seq ?? 0}; head ${head?.hash ?? "none"}`,
    );
  }
  return all.length === 0 ? 0 : 1;
}

const missingHead = (asked: string | undefined, known: Head | undefined): string =>
  asked === undefined
    ? `the end is missing or was written anew: the run directory knows of line ${known?.seq}`
    : `no line has the hash ${asked}: lines are missing, or all was written anew`;
