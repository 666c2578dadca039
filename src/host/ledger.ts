/** Knows where the ledger of governed cgroups is kept: a file that outlives restarts and reboots, replaced as a whole. */
import { existsSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { type LedgerEntry, ledgerKey } from "../plan/ledger.ts";
import { parseJson, replaceFile, textOf } from "./records.ts";

export interface Ledger {
  readonly all: () => ReadonlyMap<string, LedgerEntry>;
  /** Throws when it cannot be kept. */
  put(entry: LedgerEntry): void;
  drop(entry: LedgerEntry): void;
  /** What of it could not be read, in words. */
  trouble(): string | undefined;
}

const TEXTS = ["object", "path", "hierarchy", "file", "key", "knob", "found", "written", "policy", "identity"] as const;

const isEntry = (entry: Partial<LedgerEntry> | null): entry is LedgerEntry => TEXTS.every((name) => typeof entry?.[name] === "string");

/** Beside the images: `/var/lib/holdfast/governed/holdfast.json`. */
export function openLedger(imageDirectory: string, root: string): Ledger {
  const file = join(dirname(imageDirectory), "governed", `${root.replaceAll("/", "+")}.json`);
  let known: Map<string, LedgerEntry> | undefined;
  let trouble: string | undefined;
  // Not before it is asked for: by then the controller has its lock, and nobody else writes it.
  const entries = (): Map<string, LedgerEntry> => {
    if (known) return known;
    const text = textOf(file);
    const stored = (parseJson(text) as { entries?: unknown } | null | undefined)?.entries;
    const all: readonly (Partial<LedgerEntry> | null)[] = Array.isArray(stored) ? stored : [];
    const readable = all.filter(isEntry);
    if (text !== "" && (!Array.isArray(stored) || readable.length < all.length))
      trouble = `${file} is damaged: what was found in ${readable.length === 0 ? "governed cgroups" : "some governed cgroups"} is not known any more, and will not come back by itself (the file is kept as ${file}.broken)`;
    known = new Map(readable.map((entry) => [ledgerKey(entry), entry]));
    return known;
  };
  const save = (): void => {
    if (trouble !== undefined && !existsSync(`${file}.broken`)) renameSync(file, `${file}.broken`);
    replaceFile(file, `${JSON.stringify({ entries: [...entries().values()] }, null, 1)}\n`, 0o640);
  };
  return {
    all: entries,
    put: (entry) => {
      entries().set(ledgerKey(entry), entry);
      save();
    },
    drop: (entry) => {
      if (entries().delete(ledgerKey(entry))) save();
    },
    trouble: () => trouble,
  };
}
