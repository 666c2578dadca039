/** Knows images in one tar file: what `docker save` and `skopeo copy oci-archive:` write, made a layout. */
import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type Descriptor, ImageRefused, imagesIn, parseJson } from "../oci/image.ts";
import { blobFile, CONFIG, copyHashed, LARGEST_DOCUMENT, MANIFEST, readIndex, writeBlob, writeIndex } from "./layout.ts";
import { beginningOf, readRegular } from "./regular.ts";
import { runTool } from "./tool.ts";

/** Unpacks the archive, and leaves a layout with one image. Throws ImageRefused. `work`: an empty directory; `archive`: its name for messages. */
export async function layoutOfArchive(file: string, work: string, archive = file): Promise<{ readonly layout: string; readonly digest: string }> {
  const unpacked = join(work, "archive");
  mkdirSync(unpacked);
  await runTool("tar", ["--extract", "--no-same-owner", "--no-same-permissions", "--file", file, "--directory", unpacked]);
  if (existsSync(join(unpacked, "oci-layout"))) {
    const images = imagesIn(readIndex(unpacked));
    const [only] = images;
    if (images.length !== 1 || !only) throw new ImageRefused(`${archive} has ${images.length} images: expected one`);
    return { layout: unpacked, digest: only.digest };
  }
  return { layout: join(work, "layout"), digest: (await fromDocker(archive, unpacked, join(work, "layout"))).digest };
}

/** manifest.json names a configuration and layers, each a plain tar (Docker's image-spec v1.2). */
async function fromDocker(archive: string, unpacked: string, layout: string): Promise<Descriptor> {
  if (!existsSync(join(unpacked, "manifest.json"))) throw new ImageRefused(`${archive} is neither an OCI archive nor one of docker save`);
  const list = parseJson(readRegular(inside(unpacked, "manifest.json"), LARGEST_DOCUMENT).toString("utf8"), "manifest.json") as readonly {
    Config?: unknown;
    Layers?: unknown;
  }[];
  const [only] = Array.isArray(list) ? list : [];
  if (list.length !== 1 || typeof only?.Config !== "string" || !Array.isArray(only.Layers))
    throw new ImageRefused(`${archive} has ${list.length ?? 0} images: expected one`);
  const config = writeBlob(layout, readRegular(inside(unpacked, only.Config), LARGEST_DOCUMENT).toString("utf8"), CONFIG);
  const layers: Descriptor[] = [];
  for (const name of only.Layers as unknown[]) layers.push(await addLayer(layout, inside(unpacked, String(name))));
  const manifest = writeBlob(layout, JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }), MANIFEST);
  writeIndex(layout, [manifest]);
  return manifest;
}

/** A file of the archive; links in it may lead to other files of it, and nowhere else. */
function inside(directory: string, name: string): string {
  const file = join(directory, name);
  const top = realpathSync(directory);
  if (!existsSync(file) || !realpathSync(file).startsWith(`${top}/`) || !lstatSync(realpathSync(file)).isFile())
    throw new ImageRefused(`the archive has no file ${name}`);
  return realpathSync(file);
}

const GZIP = Buffer.from([0x1f, 0x8b]);

/** Puts a layer into a layout, as it is. */
export async function addLayer(layout: string, file: string): Promise<Descriptor> {
  mkdirSync(join(layout, "blobs", "sha256"), { recursive: true });
  const temporary = join(layout, "blobs", "sha256", `.new-${process.hrtime.bigint()}`);
  const { digest, size } = await copyHashed(file, temporary, file);
  renameSync(temporary, blobFile(layout, digest));
  const gzip = beginningOf(blobFile(layout, digest), 2).equals(GZIP);
  return { mediaType: `application/vnd.oci.image.layer.v1.tar${gzip ? "+gzip" : ""}`, digest, size };
}
