/** Knows how to make an image for others: a layout out of an archive or a directory, and a signature beside it. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, ImageRefused, imagesIn, payloadOf, REF_NAME, SIGNATURE, SIMPLE_SIGNING, signatureTag } from "../oci/image.ts";
import { addLayer, layoutOfArchive } from "./archive.ts";
import { ARCHITECTURE } from "./images.ts";
import { CONFIG, copyBlob, MANIFEST, readBlob, readIndex, readManifest, writeBlob, writeIndex } from "./layout.ts";
import { signText } from "./signature.ts";
import { runTool } from "./tool.ts";

/** Puts an image into a layout, which is made if it is not there; the digest of its manifest. `name`: a tag. */
export async function importImage(source: string, layout: string, name: string | undefined): Promise<string> {
  const work = mkdtempSync(join(tmpdir(), "holdfast-image-"));
  try {
    if (!existsSync(source)) throw new ImageRefused(`${source} does not exist`);
    const isDirectory = statSync(source).isDirectory();
    if (isDirectory && existsSync(join(source, "oci-layout"))) throw new ImageRefused(`${source} is a layout already: name it in spec.image.layout`);
    const made = isDirectory ? await fromDirectory(source, work) : await layoutOfArchive(source, work);
    const manifest = readManifest(made.layout, made.digest, ARCHITECTURE);
    for (const part of [...(manifest.config ? [manifest.config] : []), ...(manifest.layers ?? [])])
      if (!existsSync(join(layout, "blobs", ...part.digest.split(":")))) await copyBlob(made.layout, layout, part, "a part of it");
    const text = readFileSync(join(made.layout, "blobs", ...made.digest.split(":")), "utf8");
    add(layout, { ...writeBlob(layout, text, MANIFEST), ...(name === undefined ? {} : { annotations: { [REF_NAME]: name } }) });
    return made.digest;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** No times but those of the files, and no process id in names. */
const STABLE = "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime";

/** One layer; the same files make the same digest. */
async function fromDirectory(source: string, work: string): Promise<{ readonly layout: string; readonly digest: string }> {
  const [layer, layout] = [join(work, "layer.tar"), join(work, "layout")];
  await runTool("tar", ["--create", "--sort=name", "--mtime=@0", "--numeric-owner", "--xattrs", STABLE, "--file", layer, "--directory", source, "."]);
  const descriptor = await addLayer(layout, layer);
  const config = writeBlob(
    layout,
    JSON.stringify({ architecture: ARCHITECTURE, os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [descriptor.digest] } }),
    CONFIG,
  );
  const manifest = writeBlob(layout, JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [descriptor] }), MANIFEST);
  writeIndex(layout, [manifest]);
  return { layout, digest: manifest.digest };
}

/** Adds to the index, in place of what had its name. */
function add(layout: string, descriptor: Descriptor): void {
  const name = descriptor.annotations?.[REF_NAME];
  const before = existsSync(join(layout, "oci-layout")) ? (readIndex(layout).manifests ?? []) : [];
  const others = before.filter(({ digest, annotations }) => (name === undefined ? digest !== descriptor.digest : annotations?.[REF_NAME] !== name));
  writeIndex(layout, [...others, descriptor]);
}

/** Signs an image of a layout under a name, as cosign does; earlier signatures stay. */
export function signImage(layout: string, digest: string, identity: string, keyFile: string): void {
  if (identity.trim() === "") throw new ImageRefused("expected a name to sign it under, found none (--identity registry.example/web:1)");
  const key = readPrivateKey(keyFile);
  readManifest(layout, digest, ARCHITECTURE);
  const tag = signatureTag(digest);
  const before = (readIndex(layout).manifests ?? []).find(({ annotations }) => annotations?.[REF_NAME] === tag);
  const old = before ? ((JSON.parse(readBlob(layout, before, "the signature's manifest")) as { layers?: readonly Descriptor[] }).layers ?? []) : [];
  const payload = payloadOf(digest, identity);
  const signed = { ...writeBlob(layout, payload, SIMPLE_SIGNING), annotations: { [SIGNATURE]: signText(payload, key) } };
  const layers = [...old, signed];
  const config = writeBlob(
    layout,
    JSON.stringify({ architecture: "", os: "", config: {}, rootfs: { type: "layers", diff_ids: layers.map((each) => each.digest) } }),
    CONFIG,
  );
  const manifest = writeBlob(layout, JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }), MANIFEST);
  add(layout, { ...manifest, annotations: { [REF_NAME]: tag } });
}

function readPrivateKey(file: string): KeyObject {
  try {
    return createPrivateKey(readFileSync(file));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new ImageRefused(`the key ${file} does not exist (openssl ecparam -genkey -name prime256v1 -noout -out ${file})`);
    throw new ImageRefused(`${file} is no private key (PEM, not encrypted): ${message}`);
  }
}

/** The only image of a layout, for who does not say which. */
export function onlyImage(layout: string): string {
  const images = imagesIn(readIndex(layout));
  const [only] = images;
  if (images.length !== 1 || !only) throw new ImageRefused(`${layout} has ${images.length} images: say which (--digest sha256:…)`);
  return only.digest;
}
