/** Knows OCI images as they lie in a layout (image-spec 1.1), and cosign's signatures beside them: what is asked of each document. */

import type { Confinement, IdMapping, Image } from "../api/confinement.ts";

/** An image, and who its files belong to. */
export interface WantedImage {
  readonly image: Image;
  readonly mappings: { readonly uidMappings: readonly IdMapping[]; readonly gidMappings: readonly IdMapping[] } | undefined;
}

/** The image that a container is started from; undefined: it has none. */
export const wantedImage = ({ image, userNamespace }: Pick<Confinement, "image" | "userNamespace">): WantedImage | undefined =>
  image && { image, mappings: userNamespace };

export interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly architecture?: string; readonly os?: string };
}

/** A manifest or an index. */
export interface ImageManifest {
  readonly mediaType?: string;
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests?: readonly Descriptor[];
  readonly subject?: Descriptor;
}

/** `config` of an image's configuration: what a container is started with when nobody says otherwise. */
export interface ImageDefaults {
  readonly User?: string;
  readonly Env?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string;
}

/** Why an image is not used. */
export class ImageRefused extends Error {}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function isDescriptor(value: unknown): value is Descriptor {
  return isRecord(value) && typeof value["digest"] === "string" && DIGEST.test(value["digest"]) && Number.isSafeInteger(value["size"]);
}

/** A document of a layout, checked as far as it is used. Throws ImageRefused. */
export function parseManifest(text: string, what: string): ImageManifest {
  const value = parseJson(text, what);
  if (!isRecord(value)) throw new ImageRefused(`${what} is no JSON object`);
  const lists = ["layers", "manifests"].flatMap((name) => (value[name] === undefined ? [] : [value[name]]));
  const sound =
    lists.every((list) => Array.isArray(list) && list.every(isDescriptor)) &&
    ["config", "subject"].every((name) => value[name] === undefined || isDescriptor(value[name]));
  if (!sound) throw new ImageRefused(`${what} has no sound descriptors (sha256 digest and size)`);
  return value as ImageManifest;
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ImageRefused(`${what} is no JSON: ${(error as Error).message}`);
  }
}

/** What a layer is, as umoci knows it; Docker's names mean the same. Throws ImageRefused for anything else. */
export function layerType(mediaType: string | undefined): string {
  if (/^application\/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar\+gzip|docker\.image\.rootfs\.diff\.tar\.gzip)$/.test(mediaType ?? ""))
    return "application/vnd.oci.image.layer.v1.tar+gzip";
  if (/^application\/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar|docker\.image\.rootfs\.diff\.tar)$/.test(mediaType ?? ""))
    return "application/vnd.oci.image.layer.v1.tar";
  throw new ImageRefused(`a layer is ${mediaType ?? "of no type"}: only tar and tar+gzip can be unpacked`);
}

/** Of an index, the manifest for this machine. */
export function forPlatform({ manifests = [] }: ImageManifest, architecture: string): Descriptor {
  const found = manifests.find(({ platform }) => platform?.architecture === architecture && (platform.os ?? "linux") === "linux");
  if (!found) throw new ImageRefused(`the index has no image for linux/${architecture}`);
  return found;
}

export const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
/** The annotation of such a layer with the signature of its content, base64. */
export const SIGNATURE = "dev.cosignproject.cosign/signature";
export const REF_NAME = "org.opencontainers.image.ref.name";
/** With which cosign marks what it saves in a layout. */
const KIND = "kind";
const SIGNATURES = "dev.cosignproject.cosign/sigs";

/** The tag under which cosign keeps the signatures of an image. */
export const signatureTag = (digest: string): string => `${digest.replace(":", "-")}.sig`;

/** Manifests of an index that may be signatures of a digest: by cosign's tag, or by the kind that `cosign save` writes. */
export function signaturesIn({ manifests = [] }: ImageManifest, digest: string): readonly Descriptor[] {
  const tag = signatureTag(digest);
  return manifests.filter(({ annotations = {} }) => {
    const name = annotations[REF_NAME] ?? "";
    return name === tag || name.endsWith(`:${tag}`) || annotations[KIND] === SIGNATURES;
  });
}

/** Manifests of an index that are images, and no signatures or other companions of one. */
export function imagesIn({ manifests = [] }: ImageManifest): readonly Descriptor[] {
  return manifests.filter(({ annotations = {} }) => !annotations[REF_NAME]?.endsWith(".sig") && annotations[KIND] === undefined);
}

/** What cosign signs ("simple signing"): which manifest, under which name. */
export const payloadOf = (digest: string, identity: string): string =>
  JSON.stringify({
    critical: { identity: { "docker-reference": identity }, image: { "docker-manifest-digest": digest }, type: "cosign container image signature" },
    optional: null,
  });

/** What such a signed text says; undefined when it is none. */
export function readPayload(text: string): { readonly digest: string; readonly identity: string } | undefined {
  try {
    const { critical } = JSON.parse(text) as { critical: { identity: Record<string, unknown>; image: Record<string, unknown>; type: string } };
    const [digest, identity] = [critical.image["docker-manifest-digest"], critical.identity["docker-reference"]];
    if (critical.type !== "cosign container image signature" || typeof digest !== "string" || typeof identity !== "string") return undefined;
    return { digest, identity };
  } catch {
    return undefined;
  }
}
