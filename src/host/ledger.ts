/** Knows where the ledger of governed cgroups is kept: a file that outlives restarts and reboots, replaced as a whole. */
import { dirname, join } from "node:path";
import { type LedgerEntry, ledgerKey } from "../plan/ledger.ts";
import { readJson, replaceFile } from "./records.ts";

export interface Ledger {
  readonly all: () => ReadonlyMap<string, LedgerEntry>;
  /** Throws when it cannot be kept. */
  put(entry: LedgerEntry): void;
  drop(entry: LedgerEntry): void;
}

/** Beside the images: `/var/lib/holdfast/governed/holdfast.json`. */
export function openLedger(imageDirectory: string, root: string): Ledger {
  const file = join(dirname(imageDirectory), "governed", `${root.replaceAll("/", "+")}.json`);
  let known: Map<string, LedgerEntry> | undefined;
  // Not before it is asked for: by then the controller has its lock, and nobody else writes it.
  const entries = (): Map<string, LedgerEntry> => {
    const stored = known ? [] : ((readJson(file) as { entries?: LedgerEntry[] } | undefined)?.entries ?? []);
    known ??= new Map(stored.map((entry) => [ledgerKey(entry), entry]));
    return known;
  };
  const save = (): void => replaceFile(file, `${JSON.stringify({ entries: [...entries().values()] }, null, 1)}\n`, 0o640);
  return {
    all: entries,
    put: (entry) => {
      entries().set(ledgerKey(entry), entry);
      save();
    },
    drop: (entry) => {
      if (entries().delete(ledgerKey(entry))) save();
    },
  };
}
