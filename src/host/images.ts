/**
 * Knows the images that are ready to be started from: verified, copied and unpacked below a directory of root's own, so that
 * nothing can change between the check and the use. An entry appears by one rename, when all of it is there.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { IdMapping, Image } from "../api/confinement.ts";
import { type Descriptor, type ImageDefaults, type ImageManifest, ImageRefused, layerType, parseJson, REF_NAME, type WantedImage } from "../oci/image.ts";
import type { ImageState } from "../plan/imageState.ts";
import { layoutOfArchive } from "./archive.ts";
import { entriesOf } from "./bundle.ts";
import { CONFIG, copyBlob, copyHashed, hashBlob, MANIFEST, readBlob, readIndex, readManifest, writeBlob, writeIndex } from "./layout.ts";
import { readJson, replaceFile } from "./records.ts";
import { readRegular } from "./regular.ts";
import { findProgram } from "./shell.ts";
import { checkSignature, LARGEST_KEY } from "./signature.ts";
import { runTool } from "./tool.ts";

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  arm: "arm",
  ia32: "386",
  ppc64: "ppc64le",
  s390x: "s390x",
  riscv64: "riscv64",
};
/** As Go calls this machine. */
export const ARCHITECTURE = ARCHITECTURES[process.arch] ?? process.arch;

const TAG = "holdfast";
const hashOf = (text: string | Buffer): string => createHash("sha256").update(text).digest("hex");

/** What the rest of the program knows of images. */
export interface ImageStore {
  state(wanted: WantedImage): ImageState;
  /** Makes it ready. Rejects with ImageRefused, and leaves nothing but the reason. */
  prepare(wanted: WantedImage): Promise<void>;
  /** Removes what a controller that was killed left half done. */
  clean(): Promise<void>;
  /** Forgets why images were refused that nobody wants any more. */
  forgive(wanted: ReadonlySet<string>): void;
  /** Names of the entries. */
  list(): readonly string[];
  /** Takes an entry away at once, and its files beside everything else. */
  remove(key: string): Promise<void>;
}

/** The name of an entry: one for each image and way to map ids. */
export function imageKey({ image, mappings }: WantedImage): string {
  const suffix = mappings ? `+${hashOf(JSON.stringify(mappings)).slice(0, 12)}` : "";
  return `${image.digest.replace("sha256:", "")}${suffix}`;
}

export class Images implements ImageStore {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  rootfs(key: string): string {
    return join(this.directory, key, "rootfs");
  }

  /** What a container of it is started with when nobody says otherwise. */
  defaults(key: string): ImageDefaults {
    return JSON.parse(readFileSync(join(this.directory, key, DEFAULTS), "utf8")) as ImageDefaults;
  }

  state(wanted: WantedImage): ImageState {
    const key = imageKey(wanted);
    const entry = join(this.directory, key);
    const policy = policyOf(wanted.image);
    if (existsSync(join(entry, DEFAULTS)) && (policy === undefined || existsSync(join(entry, verified(policy))))) return { key, ready: true };
    const refused = readJson(this.refusal(key)) as { at: number; message: string; what: string } | undefined;
    return { key, ready: false, ...(refused?.what === sourceOf(wanted.image) ? { refused: { at: refused.at, message: refused.message } } : {}) };
  }

  async prepare(wanted: WantedImage): Promise<void> {
    const key = imageKey(wanted);
    mkdirSync(this.directory, { recursive: true, mode: 0o711 });
    const work = join(this.directory, `.new-${randomBytes(6).toString("hex")}`);
    mkdirSync(work, { mode: 0o711 });
    try {
      await this.prepareIn(work, wanted, join(this.directory, key));
      rmSync(this.refusal(key), { force: true });
    } catch (error) {
      replaceFile(this.refusal(key), JSON.stringify({ at: Date.now(), message: (error as Error).message, what: sourceOf(wanted.image) }));
      throw error;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  private async prepareIn(work: string, wanted: WantedImage, entry: string): Promise<void> {
    const { image } = wanted;
    const source = "archive" in image ? await this.fromArchive(image.archive, image.digest, work) : { layout: image.layout, digest: image.digest };
    const index = readIndex(source.layout);
    if (image.verify) checkSignature(source.layout, index, source.digest, image.verify.identity, image.verify.publicKey);
    const policy = policyOf(image);
    // Verified under another policy now: what is unpacked is what the digest says all the same.
    if (!existsSync(join(entry, DEFAULTS))) {
      await unpack(source.layout, source.digest, wanted, work);
      for (const rest of ["layout", "copy", "archive", "file"]) await rm(join(work, rest), { recursive: true, force: true });
      await rm(entry, { recursive: true, force: true });
      renameSync(work, entry);
    }
    if (policy !== undefined) replaceFile(join(entry, verified(policy)), policy);
  }

  private refusal(key: string): string {
    return join(this.directory, `.refused-${key}`);
  }

  /** The archive is copied while it is hashed: what is unpacked is what was. */
  private async fromArchive(archive: string, digest: string, work: string): Promise<{ layout: string; digest: string }> {
    const file = join(work, "file");
    const copied = await copyHashed(archive, file, archive);
    if (copied.digest !== digest) throw new ImageRefused(`${archive} is not what the digest says: it is ${copied.digest}`);
    return layoutOfArchive(file, work, archive);
  }

  async clean(): Promise<void> {
    const left = entriesOf(this.directory).filter((name) => name.startsWith(".new-") || name.startsWith(".old-"));
    for (const name of left) await rm(join(this.directory, name), { recursive: true, force: true });
  }

  forgive(wanted: ReadonlySet<string>): void {
    for (const name of entriesOf(this.directory)) {
      const [, key] = /^\.refused-(.*)$/.exec(name) ?? [];
      if (key !== undefined && !wanted.has(key)) rmSync(join(this.directory, name), { force: true });
    }
  }

  list(): string[] {
    return entriesOf(this.directory).filter((name) => /^[0-9a-f]{64}/.test(name));
  }

  remove(key: string): Promise<void> {
    const gone = join(this.directory, `.old-${key}-${randomBytes(4).toString("hex")}`);
    renameSync(join(this.directory, key), gone);
    return rm(gone, { recursive: true, force: true });
  }
}

/** Stands in an entry for each policy under which it was verified: workloads may ask for different ones. */
const verified = (policy: string): string => `verified-${hashOf(policy).slice(0, 16)}`;

/** Written last. */
const DEFAULTS = "defaults.json";

/** Where it is looked for, and under which policy: what was refused may be all right elsewhere. */
const sourceOf = (image: Image): string => JSON.stringify(["layout" in image ? image.layout : image.archive, policyOf(image)]);

/** Which key, by its content, and which name; undefined when nobody asks for a signature. */
function policyOf({ verify }: Image): string | undefined {
  return verify && JSON.stringify([hashOf(readText(verify.publicKey) ?? ""), verify.identity]);
}

function readText(file: string): string | undefined {
  try {
    return readRegular(file, LARGEST_KEY).toString("utf8");
  } catch {
    return undefined;
  }
}

/** Hashes the whole chain of an image, and checks its signature if asked to; unpacks nothing. Rejects with ImageRefused. */
export async function verifyImage(layout: string, digest: string, policy: Image["verify"]): Promise<void> {
  if (policy) checkSignature(layout, readIndex(layout), digest, policy.identity, policy.publicKey);
  const { config, layers = [] } = readManifest(layout, digest, ARCHITECTURE);
  if (!config) throw new ImageRefused("the manifest has no config: it is no image");
  readBlob(layout, config, "the configuration");
  for (const layer of layers) await hashBlob(layout, layer, "a layer");
}

/** Re-hashes the whole chain while copying it into `work`, and unpacks that. */
async function unpack(layout: string, digest: string, { mappings }: WantedImage, work: string): Promise<void> {
  const umoci = findProgram("umoci");
  if (umoci === undefined) throw new ImageRefused("umoci, which unpacks images, is not installed (apt-get install umoci)");
  const manifest: ImageManifest = readManifest(layout, digest, ARCHITECTURE);
  const { config, layers = [] } = manifest;
  if (!config) throw new ImageRefused("the manifest has no config: it is no image");
  const copy = join(work, "copy");
  const settings = readBlob(layout, config, "the configuration");
  const parts: Descriptor[] = [];
  for (const layer of layers) {
    await copyBlob(layout, copy, layer, "a layer");
    parts.push({ mediaType: layerType(layer.mediaType), digest: layer.digest, size: layer.size });
  }
  const own = writeBlob(copy, settings, CONFIG);
  const made = writeBlob(copy, JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: own, layers: parts }), MANIFEST);
  writeIndex(copy, [{ ...made, annotations: { [REF_NAME]: TAG } }]);
  const maps = (option: string, ranges: readonly IdMapping[] = []): string[] =>
    ranges.flatMap(({ containerID, hostID, size }) => [option, `${containerID}:${hostID}:${size}`]);
  const rootfs = join(work, "rootfs");
  await runTool(umoci, [
    "raw",
    "unpack",
    "--image",
    `${copy}:${TAG}`,
    ...maps("--uid-map", mappings?.uidMappings),
    ...maps("--gid-map", mappings?.gidMappings),
    rootfs,
  ]);
  const { config: defaults = {} } = parseJson(settings, "the configuration") as { config?: ImageDefaults };
  replaceFile(join(work, DEFAULTS), JSON.stringify(defaults ?? {}));
}
