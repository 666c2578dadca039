/** Knows what a look tells of an image. */

/** What has become of an image. */
export interface ImageState {
  /** The name of it among those that are unpacked. */
  readonly key: string;
  /** It can be started from, as it is declared now. */
  readonly ready: boolean;
  /** When it was looked at last (ms since the epoch), and what was wrong with it. */
  readonly refused?: { readonly at: number; readonly message: string };
}
