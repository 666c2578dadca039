/** Knows what can be wrong, as values: a closed set of reasons, a place, what was expected and a hint. */

/** CamelCase reasons, as in Kubernetes conditions. */
export type ProblemReason =
  | "FileUnreadable"
  | "FileUntrusted"
  | "SignatureRefused"
  | "FileTooLarge"
  | "NotText"
  | "YAMLSyntax"
  | "UnknownKind"
  | "UnknownField"
  | "MissingField"
  | "InvalidValue"
  | "InvalidLimit"
  | "DuplicateName"
  | "ReferenceNotFound"
  | "ReferenceCycle"
  | "KnobUnsupported"
  | "DeviceNotFound"
  | "ConfinementUnavailable"
  | "ImageRefused"
  | "Blocked"
  | "PressureHeld"
  | "Reverted"
  | "WriteRefused"
  | "MemberRefused"
  | "GovernRefused"
  | "CgroupNotFound"
  | "Conflict"
  | "StartBlocked"
  | "StartFailed"
  | "ProgressDeadlineExceeded"
  | "PruneHeld";

export interface Problem {
  readonly reason: ProblemReason;
  /** The object concerned, `Kind/name`, when it is known. */
  readonly object?: string;
  /** The cgroup concerned, of several that the object may have; below the root. */
  readonly cgroup?: string;
  readonly file: string;
  /** From 1; 0 when the problem concerns the file as a whole. */
  readonly line: number;
  readonly column: number;
  /** JSON pointer of the field (RFC 6901); empty for the document. */
  readonly pointer: string;
  /** What was expected, or what happened: one sentence without a full stop. */
  readonly message: string;
  readonly hint?: string;
}

/** Takes a problem of one object's manifest; its place is found by the pointer. */
export type Report = (reason: ProblemReason, pointer: string, message: string, hint?: string) => void;

/** A pointer as long as a person's eye takes it: a key may be a megabyte. */
const shortened = (pointer: string): string => (pointer.length > 200 ? `${pointer.slice(0, 197)}...` : pointer);

/** `manifests/a.yaml:3:7: UnknownField: …`, the form that editors and CI systems recognise. */
export function problemLine(problem: Problem): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  const hint = problem.hint ? ` (${problem.hint})` : "";
  const object = problem.object ? `${problem.object}: ` : "";
  const field = problem.pointer ? `${shortened(problem.pointer)}: ` : "";
  return `${place}: ${problem.reason}: ${object}${field}${problem.message}${hint}`;
}
