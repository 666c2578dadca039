/** Knows an OCI layout in a directory: blobs by their digests, each hashed whenever it is read. */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, existsSync, fstatSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Descriptor, forPlatform, type ImageManifest, ImageRefused, parseManifest } from "../oci/image.ts";
import { type NotReadable, openRegular, readRegular } from "./regular.ts";

/** A manifest or a configuration is read whole. */
export const LARGEST_DOCUMENT = 4 * 1024 * 1024;
const CHUNK = 1024 * 1024;

export const blobFile = (layout: string, digest: string): string => join(layout, "blobs", ...(digest.split(":") as [string, string]));

const digestOf = (bytes: string | Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** A small document. Throws ImageRefused unless it is what its digest says. */
export function readBlob(layout: string, { digest, size }: Pick<Descriptor, "digest" | "size">, what: string): string {
  if (size > LARGEST_DOCUMENT) throw new ImageRefused(`${what} (${digest}) is larger than 4 MiB`);
  const bytes = bytesOf(blobFile(layout, digest), what, digest);
  if (bytes.length !== size) throw new ImageRefused(`${what} (${digest}) has ${bytes.length} bytes, and its descriptor says ${size}`);
  if (digestOf(bytes) !== digest) throw new ImageRefused(`${what} is not what its digest ${digest} says: it was changed`);
  return bytes.toString("utf8");
}

/** A document of which only the digest is known. */
function readByDigest(layout: string, digest: string, what: string): string {
  const bytes = bytesOf(blobFile(layout, digest), what, digest);
  if (digestOf(bytes) !== digest) throw new ImageRefused(`${what} is not what its digest ${digest} says: it was changed`);
  return bytes.toString("utf8");
}

function bytesOf(file: string, what: string, digest: string): Buffer {
  try {
    return readRegular(file, LARGEST_DOCUMENT);
  } catch (error) {
    const { code, message } = error as NotReadable;
    throw new ImageRefused(`${what} ${digest} ${code === "ENOENT" ? "is not in the layout" : message}`);
  }
}

export function readIndex(layout: string): ImageManifest {
  if (!existsSync(join(layout, "oci-layout"))) throw new ImageRefused(`${layout} is no OCI layout (it has no file oci-layout)`);
  return parseManifest(bytesOf(join(layout, "index.json"), "the index", "").toString("utf8"), "index.json");
}

/** The manifest of a digest; of an index, the one for this machine. */
export function readManifest(layout: string, digest: string, architecture: string): ImageManifest {
  const manifest = parseManifest(readByDigest(layout, digest, "the manifest"), "the manifest");
  if (!manifest.manifests) return manifest;
  const chosen = forPlatform(manifest, architecture);
  return parseManifest(readBlob(layout, chosen, "the manifest"), "the manifest");
}

/** Copies a blob into another layout, hashing what is copied: what is there afterwards is what its digest says. */
export async function copyBlob(from: string, to: string, { digest, size }: Descriptor, what: string): Promise<void> {
  const target = blobFile(to, digest);
  mkdirSync(dirname(target), { recursive: true });
  // The same layer twice is one blob; what is there was copied here, and checked.
  if (existsSync(target)) return;
  check({ digest, size }, await copyHashed(blobFile(from, digest), target, `${what} ${digest}`), what);
}

/** Hashes a blob as copyBlob() does, and copies it nowhere. */
export async function hashBlob(layout: string, descriptor: Descriptor, what: string): Promise<void> {
  check(descriptor, await copyHashed(blobFile(layout, descriptor.digest), "/dev/null", `${what} ${descriptor.digest}`), what);
}

function check({ digest, size }: Descriptor, actual: { readonly digest: string; readonly size: number }, what: string): void {
  if (actual.size !== size) throw new ImageRefused(`${what} ${digest} has ${actual.size} bytes, and its descriptor says ${size}`);
  if (actual.digest !== digest) throw new ImageRefused(`${what} is not what its digest ${digest} says: it was changed`);
}

/** Copies a regular file, no further than it was long; what it was, as it was copied. */
export async function copyHashed(from: string, to: string, what: string): Promise<{ readonly digest: string; readonly size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  let source: number;
  try {
    source = openRegular(from);
  } catch (error) {
    throw new ImageRefused(`${what} ${(error as Error).message}`);
  }
  const { size: length } = fstatSync(source);
  const out = openSync(to, to === "/dev/null" ? "w" : "wx", 0o600);
  try {
    const stream = createReadStream("", { fd: source, autoClose: false, start: 0, end: Math.max(length - 1, 0), highWaterMark: CHUNK });
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
      for (let written = 0; written < chunk.length; ) written += writeSync(out, chunk, written);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ImageRefused(`${what} cannot be copied (${code ?? message})`);
  } finally {
    for (const descriptor of [source, out]) closeSync(descriptor);
  }
  return { digest: `sha256:${hash.digest("hex")}`, size };
}

/** Puts a document into a layout. */
export function writeBlob(layout: string, text: string, mediaType: string): Descriptor {
  const digest = digestOf(text);
  const file = blobFile(layout, digest);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return { mediaType, digest, size: Buffer.byteLength(text) };
}

/** Writes (or writes again) what makes a directory a layout. */
export function writeIndex(layout: string, manifests: readonly Descriptor[]): void {
  mkdirSync(join(layout, "blobs", "sha256"), { recursive: true });
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
}

const INDEX = "application/vnd.oci.image.index.v1+json";
export const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const CONFIG = "application/vnd.oci.image.config.v1+json";
