/** Knows what a loopback port is guarded with: a token, and a key with its certificate, made at the first start and kept where their owner alone can read them. */
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { textIn } from "./optional.ts";
import { replaceFile } from "./records.ts";

export interface Credentials {
  readonly token: string;
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
}

const FILES = { token: "token", key: "tls.key", certificate: "tls.crt" } as const;
/** A certificate lives so long, and is made anew so long before its end; ms. */
const [LIFE, RENEW] = [10 * 365 * 86_400_000, 90 * 86_400_000];

/** Somebody else can read them: they guard nothing. */
export class CredentialsExposed extends Error {}

/** Those of a directory; undefined where there are none, or not all. */
export function readCredentials(directory: string): Credentials | undefined {
  for (const name of Object.values(FILES)) {
    const file = join(directory, name);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat && !stat.isFile()) throw new CredentialsExposed(`${file} is no file: remove it to have a new one made`);
    const mode = stat?.mode ?? 0;
    if (name !== FILES.certificate && (mode & 0o077) !== 0)
      throw new CredentialsExposed(`${file} can be read by others: chmod 600 it, or remove it to have a new one made`);
  }
  const [token, key, certificate] = [FILES.token, FILES.key, FILES.certificate].map((name) => textIn(join(directory, name))?.trim());
  if (!token || !/^[\w-]{32,}$/.test(token) || !key || !certificate) return undefined;
  try {
    const parsed = new X509Certificate(certificate);
    if (!parsed.checkPrivateKey(createPrivateKey(key))) return undefined;
    return Date.parse(parsed.validTo) - RENEW > Date.now() ? { token, key: `${key}\n`, certificate: `${certificate}\n` } : undefined;
  } catch {
    return undefined;
  }
}

/** Those of a directory, made where they are missing. `names`: the addresses that the certificate is for, besides loopback's. */
export async function credentialsIn(directory: string, names: readonly string[], warn: (message: string) => void): Promise<Credentials> {
  const known = readCredentials(directory);
  if (known && coversAll(known.certificate, names)) return known;
  if (Object.values(FILES).some((name) => existsSync(join(directory, name))))
    warn(
      `the ${known ? "certificate" : "token and the certificate"} in ${directory} ${known ? "is" : "are"} made anew: holdfast kubeconfig has what is needed now`,
    );
  const { generate } = await import("selfsigned");
  const alternatives = ["localhost", "127.0.0.1", "::1", ...names].map((name) =>
    /[:]|^[\d.]+$/.test(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name },
  );
  const made = await generate([{ name: "commonName", value: "holdfast" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notAfterDate: new Date(Date.now() + LIFE),
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", digitalSignature: true, keyCertSign: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: alternatives },
    ],
  });
  const credentials = { token: known?.token ?? randomBytes(32).toString("base64url"), key: made.private, certificate: made.cert };
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  replaceFile(join(directory, FILES.key), credentials.key, 0o600);
  replaceFile(join(directory, FILES.certificate), credentials.certificate, 0o644);
  replaceFile(join(directory, FILES.token), `${credentials.token}\n`, 0o600);
  return credentials;
}

const coversAll = (certificate: string, names: readonly string[]): boolean => {
  const known = new X509Certificate(certificate);
  return names.every((name) => known.checkHost(name) !== undefined || known.checkIP(name) !== undefined);
};
