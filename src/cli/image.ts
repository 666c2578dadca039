/** Knows `holdfast image`: makes, signs and checks images, with what the controller itself checks them with. */
import { resolve } from "node:path";
import { importImage, onlyImage, signImage } from "../host/imageMaker.ts";
import { verifyImage } from "../host/images.ts";
import { ImageRefused } from "../oci/image.ts";
import { UsageError } from "./context.ts";
import { note, out } from "./print.ts";

/** What is wrong with an image is an answer, no failure of the program. */
async function plainly(work: () => Promise<void> | void): Promise<number> {
  try {
    await work();
    return 0;
  } catch (error) {
    if (error instanceof ImageRefused) throw new UsageError(error.message);
    throw error;
  }
}

export function importFrom(source: string, layout: string, { name }: { readonly name?: string }): Promise<number> {
  return plainly(async () => {
    const digest = await importImage(resolve(source), resolve(layout), name);
    out(digest);
    note(`use it with\n  image: { layout: ${resolve(layout)}, digest: "${digest}" }`);
  });
}

export function signIt(
  layout: string,
  { key, identity, digest }: { readonly key: string; readonly identity: string; readonly digest?: string },
): Promise<number> {
  return plainly(() => {
    const which = digest ?? onlyImage(resolve(layout));
    signImage(resolve(layout), which, identity, key);
    out(`${which} signed as ${identity}`);
  });
}

interface VerifyOptions {
  readonly publicKey?: string;
  readonly identity?: string;
  readonly digest?: string;
}

export function verifyIt(layout: string, { publicKey, identity, digest }: VerifyOptions): Promise<number> {
  return plainly(async () => {
    if ((publicKey === undefined) !== (identity === undefined)) throw new UsageError("--public-key and --identity go together");
    const which = digest ?? onlyImage(resolve(layout));
    await verifyImage(resolve(layout), which, publicKey !== undefined && identity !== undefined ? { publicKey, identity } : undefined);
    out(`${which} is whole${identity === undefined ? "" : `, and signed as ${identity}`}`);
  });
}
