/** Knows how to check detached signatures by Ed25519 keys as minisign and ssh-keygen -Y make them; no program, no network. */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";

export interface SigningKey {
  readonly kind: "minisign" | "ssh";
  readonly key: KeyObject;
  /** minisign: the number of the key; ssh: the key as signatures carry it. */
  readonly id: Buffer;
}

/** What is wrong with a key or a signature. */
export class BadSignature extends Error {}

/** Of an Ed25519 key in the form that Node takes (RFC 8410). */
const DER_PREFIX = Buffer.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);
const keyOf = (raw: Buffer): KeyObject => createPublicKey({ key: Buffer.concat([DER_PREFIX, raw]), format: "der", type: "spki" });

/** A public key: minisign's file (two lines), or a line of OpenSSH's (`ssh-ed25519 AAAA… comment`). Throws BadSignature. */
export function parseSigningKey(text: string): SigningKey {
  const lines = text.split("\n").map((line) => line.trim());
  const ssh = lines.map((line) => /(?:^|\s)ssh-ed25519\s+([A-Za-z0-9+/=]+)/.exec(line)?.[1]).find((found) => found !== undefined);
  if (ssh !== undefined) {
    const blob = Buffer.from(ssh, "base64");
    const [type, raw] = strings(blob, 2);
    if (type?.toString() !== "ssh-ed25519" || raw?.length !== 32) throw new BadSignature("the key is no ssh-ed25519 key");
    return { kind: "ssh", key: keyOf(raw), id: blob };
  }
  const blob = Buffer.from(lines.find((line) => /^RW[A-Za-z0-9+/=]{54}$/.test(line)) ?? "", "base64");
  if (blob.length !== 42 || blob.toString("latin1", 0, 2) !== "Ed") throw new BadSignature("expected a public key of minisign's, or an ssh-ed25519 one");
  return { kind: "minisign", key: keyOf(blob.subarray(10)), id: blob.subarray(2, 10) };
}

/** Strings of the SSH protocol (RFC 4251, section 5), one after the other. */
function strings(blob: Buffer, count: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; found.length < count; ) {
    if (at + 4 > blob.length) throw new BadSignature("it is cut off");
    const length = blob.readUInt32BE(at);
    if (at + 4 + length > blob.length) throw new BadSignature("it is cut off");
    found.push(blob.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

/** Throws BadSignature unless `signature` is the key's, of these bytes. `namespace`: what ssh-keygen was told with -n. */
export function checkDetached(bytes: Buffer, signature: string, key: SigningKey, namespace: string): void {
  if (key.kind === "ssh") checkSsh(bytes, signature, key, namespace);
  else checkMinisign(bytes, signature, key);
}

/** The format is told at https://jedisct1.github.io/minisign/: comment, signature, trusted comment, signature of both. */
function checkMinisign(bytes: Buffer, text: string, { key, id }: SigningKey): void {
  const [, first = "", comment = "", second = ""] = text.split("\n").map((line) => line.replace(/\r$/, ""));
  const blob = Buffer.from(first, "base64");
  const algorithm = blob.toString("latin1", 0, 2);
  if (blob.length !== 74 || (algorithm !== "Ed" && algorithm !== "ED") || !comment.startsWith("trusted comment: "))
    throw new BadSignature("it is no signature of minisign's");
  if (!blob.subarray(2, 10).equals(id)) throw new BadSignature("it is by another key");
  const signature = blob.subarray(10);
  const message = algorithm === "ED" ? createHash("blake2b512").update(bytes).digest() : bytes;
  const whole = Buffer.concat([signature, Buffer.from(comment.slice("trusted comment: ".length))]);
  if (!verify(null, message, key, signature) || !verify(null, whole, key, Buffer.from(second, "base64"))) throw new BadSignature("it is not of this content");
}

const MAGIC = "SSHSIG";

/** PROTOCOL.sshsig of OpenSSH. */
function checkSsh(bytes: Buffer, text: string, { key, id }: SigningKey, namespace: string): void {
  const body = /-----BEGIN SSH SIGNATURE-----\s*([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----/.exec(text)?.[1];
  const blob = Buffer.from(body ?? "", "base64");
  const magic = Buffer.from(MAGIC);
  if (blob.length < 10 || !blob.subarray(0, 6).equals(magic) || blob.readUInt32BE(6) !== 1) throw new BadSignature("it is no signature of ssh-keygen's");
  const [publicKey, space, , hash, wrapped] = strings(blob.subarray(10), 5) as [Buffer, Buffer, Buffer, Buffer, Buffer];
  if (!publicKey.equals(id)) throw new BadSignature("it is by another key");
  if (space.toString() !== namespace)
    throw new BadSignature(`it is for ${JSON.stringify(space.toString())}, not for ${JSON.stringify(namespace)} (ssh-keygen -Y sign -n ${namespace})`);
  const name = hash.toString();
  if (name !== "sha256" && name !== "sha512") throw new BadSignature("it is by an unknown hash");
  const digest = createHash(name).update(bytes).digest();
  const string = (part: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return Buffer.concat([length, part]);
  };
  const signed = Buffer.concat([magic, string(space), string(Buffer.alloc(0)), string(hash), string(digest)]);
  const [type, signature] = strings(wrapped, 2);
  if (type?.toString() !== "ssh-ed25519" || !signature || !verify(null, signed, key, signature)) throw new BadSignature("it is not of this content");
}
