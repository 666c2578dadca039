/**
 * Knows whether the manifest directory is what somebody has signed: `manifests.sha256` lists every manifest with its hash (as sha256sum prints it), and beside it is the signature
 * (`manifests.sha256.minisig` or `manifests.sha256.sig`).
 */
import { createHash } from "node:crypto";
import { basename, join, relative, resolve } from "node:path";
import { BadSignature, checkDetached, parseSigningKey, type SigningKey } from "./detached.ts";
import { NotReadable, readRegular } from "./regular.ts";

const LIST = "manifests.sha256";
const SIGNATURES = { minisign: `${LIST}.minisig`, ssh: `${LIST}.sig` } as const;
/** For ssh-keygen -Y sign -n. */
const NAMESPACE = "holdfast";
const [LARGEST_LIST, LARGEST] = [4 * 1024 * 1024, 64 * 1024];

/** Names of files that a seal is made of: when one changes, all is to be looked at. */
export const isSealName = (name: string): boolean => basename(name).startsWith(LIST);

/** The key that manifests must be signed by. Throws BadSignature or NotReadable. */
export const readSigningKey = (file: string): SigningKey => parseSigningKey(readRegular(file, LARGEST).toString("utf8"));

/** Why these files are not what was signed; undefined: they are, all of them and no others. `path`: as it may be opened. */
export function whyNotSealed(directory: string, files: readonly { readonly path: string; readonly text: string }[], key: SigningKey): string | undefined {
  try {
    const list = read(directory, LIST, LARGEST_LIST);
    const signature = read(directory, SIGNATURES[key.kind], LARGEST).toString("utf8");
    try {
      checkDetached(list, signature, key, NAMESPACE);
    } catch (error) {
      if (!(error instanceof BadSignature)) throw error;
      return `the signature ${SIGNATURES[key.kind]} is not good: ${error.message}`;
    }
    const hashes = new Map(
      list
        .toString("utf8")
        .split("\n")
        .flatMap((line) => {
          const [, hash = "", name = ""] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
          return name === "" ? [] : [[resolve(directory, name), hash] as const];
        }),
    );
    for (const { path, text } of files) {
      const name = relative(directory, resolve(path));
      const hash = hashes.get(resolve(path));
      if (hash === undefined) return `${name} is not in ${LIST}`;
      if (createHash("sha256").update(text).digest("hex") !== hash) return `${name} is not what was signed`;
      hashes.delete(resolve(path));
    }
    const [missing] = hashes.keys();
    return missing === undefined ? undefined : `${relative(directory, missing)} was signed, and is not there (or cannot be read)`;
  } catch (error) {
    if (error instanceof NotReadable) return error.message;
    throw error;
  }
}

function read(directory: string, name: string, largest: number): Buffer {
  try {
    return readRegular(join(directory, name), largest);
  } catch (error) {
    if (error instanceof NotReadable) throw new NotReadable(`${name} ${error.message}`, error.code);
    throw error;
  }
}
