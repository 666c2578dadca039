/** Knows how to check and to make cosign's keyed signatures: of which image, under which name, by which key; no network, no log. */
import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { type Descriptor, type ImageManifest, ImageRefused, parseManifest, readPayload, SIGNATURE, SIMPLE_SIGNING, signaturesIn } from "../oci/image.ts";
import { readBlob } from "./layout.ts";
import { NotReadable, readRegular } from "./regular.ts";

/** Keys are small. */
export const LARGEST_KEY = 64 * 1024;

function readPublicKey(file: string): KeyObject {
  try {
    const text = readRegular(file, LARGEST_KEY);
    if (text.includes("PRIVATE KEY")) throw new ImageRefused(`${file} is a private key, which has no business here: expected a public one`);
    return createPublicKey(text);
  } catch (error) {
    if (error instanceof ImageRefused) throw error;
    const { message } = error as Error;
    throw new ImageRefused(error instanceof NotReadable ? `the public key ${file} ${message}` : `${file} is no public key (PEM): ${message}`);
  }
}

/** ECDSA P-256 (cosign's own), P-384, RSA with SHA-256; Ed25519 hashes by itself. */
const hashFor = (key: KeyObject): string | null => (key.asymmetricKeyType === "ed25519" ? null : "sha256");

export const signText = (text: string, key: KeyObject): string => sign(hashFor(key), Buffer.from(text), key).toString("base64");

/** What was found of one signature: `good`, or what is against it. */
type Verdict = "good" | "another key" | { readonly identity: string } | "another image" | "no payload";

function verdictOf(layout: string, layer: Descriptor, digest: string, identity: string, key: KeyObject): Verdict {
  const text = readBlob(layout, layer, "a signed text");
  const signature = layer.annotations?.[SIGNATURE];
  if (signature === undefined || !verify(hashFor(key), Buffer.from(text), key, Buffer.from(signature, "base64"))) return "another key";
  const said = readPayload(text);
  if (!said) return "no payload";
  if (said.digest !== digest) return "another image";
  return said.identity === identity ? "good" : { identity: said.identity };
}

/** Throws ImageRefused, with the reason, unless one of the signatures in the layout is by this key, of this image, under this name. */
export function checkSignature(layout: string, index: ImageManifest, digest: string, identity: string, publicKey: string): readonly Descriptor[] {
  const key = readPublicKey(publicKey);
  const verdicts: Verdict[] = [];
  const found = signaturesIn(index, digest);
  for (const descriptor of found) {
    const manifest = parseManifest(readBlob(layout, descriptor, "a signature's manifest"), "a signature's manifest");
    for (const layer of manifest.layers ?? []) {
      if (layer.mediaType !== SIMPLE_SIGNING) continue;
      const verdict = verdictOf(layout, layer, digest, identity, key);
      if (verdict === "good") return [descriptor];
      verdicts.push(verdict);
    }
  }
  const other = verdicts.find((verdict) => typeof verdict === "object");
  if (typeof other === "object") throw new ImageRefused(`it is signed as ${other.identity}, and not as ${identity}`);
  if (verdicts.includes("another image")) throw new ImageRefused(`the signature by ${publicKey} is of another image, not of ${digest}`);
  if (verdicts.length > 0) throw new ImageRefused(`no signature of ${digest} is by the key ${publicKey}`);
  throw new ImageRefused(`it is not signed: the layout has no signature of ${digest}`);
}
