/** Knows what is kept of each value that Holdfast has written into a cgroup of somebody else's: what was there before, and what becomes of it. */
import type { LimitName } from "../api/limits.ts";
import type { DeletionPolicy, ObjectKey } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";

export interface LedgerEntry {
  readonly object: ObjectKey;
  readonly path: CgroupPath;
  readonly hierarchy: string;
  readonly file: string;
  readonly key: string;
  readonly knob: LimitName;
  /** Found before the first write; canonical, as `written` is. */
  readonly found: string;
  /** What is in force by Holdfast. */
  readonly written: string;
  readonly policy: DeletionPolicy;
  /** Of the cgroup: after a reboot, or made again, it is another one. */
  readonly identity: string;
}

/** Which value it is. */
export const ledgerKey = ({ hierarchy, path, file, key }: Pick<LedgerEntry, "hierarchy" | "path" | "file" | "key">): string =>
  [hierarchy, path, file, key].join("\n");
