/** Knows what a controller of little privilege may ask of its monitor: the calls, the shape of each, and how they travel. */
import { deserialize, serialize } from "node:v8";
import type { Machine } from "../cgroup/machine.ts";
import type { Result } from "../host/result.ts";
import type { ImageState } from "../plan/imageState.ts";
import type { ObservedAttempt } from "../plan/observed.ts";

/** What is on the machine of what manifests mention. */
type Facts = Pick<Machine, "devices" | "envFiles" | "accounts" | "confinement">;

/** Every call. What takes its time is answered later; the controller waits for everything else. */
export interface Calls {
  facts: () => Facts;
  attempts: (replicas: readonly string[] | null) => readonly ObservedAttempt[];
  write: (file: string, text: string) => void;
  writeAndRead: (file: string, text: string) => string;
  makeDirectory: (directory: string) => void;
  removeDirectory: (directory: string) => void;
  /** Keep ready what makes the next start fast. */
  prepare: (ready: boolean) => void;
  /** Give the user what root has left of the log of a declared workload, from the time before there was a user. */
  giveLog: (workload: string) => void;
  /** What is started is what the monitor itself has read of that replica, if it is of this revision. */
  start: (attempt: string, replica: string, revision: string, startedAt: string) => Promise<void>;
  signal: (attempt: string, pid: number, signal: string) => Promise<void>;
  signalAll: (path: string, signal: string) => Promise<void>;
  /** `handler`: its JSON; timeout in ms, at most what the manifest says. */
  handle: (attempt: string, handler: string, timeout: number) => Promise<Result>;
  kill: (path: string) => Promise<void>;
  release: (attempt: string, holder: number) => Promise<void>;
  hold: (attempt: string, holder: number) => void;
  void: (attempt: string) => void;
  sweep: () => readonly string[];
  /** `wanted`: the JSON of an image and its mappings. */
  imageState: (wanted: string) => ImageState;
  prepareImage: (wanted: string) => Promise<void>;
  images: () => readonly string[];
  forgiveImages: (wanted: readonly string[]) => void;
  removeImage: (key: string) => Promise<void>;
  /** What the kernel has said since the last time. */
  kernelLog: () => readonly string[];
}

export type Call = keyof Calls;

type Check = (word: unknown) => boolean;
const textUpTo =
  (most: number): Check =>
  (word) =>
    typeof word === "string" && word.length <= most && !word.includes("\0");
/** PATH_MAX; and room for the JSON of an image or a command. */
const [text, json] = [textUpTo(4096), textUpTo(256 * 1024)];
const pid: Check = (word) => Number.isSafeInteger(word) && (word as number) > 1;
const texts: Check = (word) => Array.isArray(word) && word.every(text);
const flag: Check = (word) => typeof word === "boolean";

/** What each call takes. */
const SHAPES: { readonly [K in Call]: readonly Check[] } = {
  facts: [],
  attempts: [(word) => word === null || texts(word)],
  write: [text, text],
  writeAndRead: [text, text],
  makeDirectory: [text],
  removeDirectory: [text],
  prepare: [flag],
  giveLog: [text],
  start: [text, text, text, (word) => typeof word === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(word)],
  signal: [text, pid, text],
  signalAll: [text, text],
  handle: [text, json, (word) => typeof word === "number" && word > 0 && word <= LONGEST_TIMEOUT],
  kill: [text],
  release: [text, pid],
  hold: [text, pid],
  void: [text],
  sweep: [],
  imageState: [json],
  prepareImage: [json],
  images: [],
  forgiveImages: [texts],
  removeImage: [text],
  kernelLog: [],
};

/** A day, ms: longer than any hook or probe may take, and fit for a timer. */
const LONGEST_TIMEOUT = 86_400_000;

/** Longer ones end the connection, bytes. */
export const LONGEST_CALL = 1024 * 1024;

/** The words of a call as they are sent: a line of JSON. */
export const callLine = (call: Call, words: readonly unknown[]): string => `${JSON.stringify([call, ...words])}\n`;

/** A line that was sent; undefined when it is no call. */
export function parseCall(line: string): readonly [Call, ...unknown[]] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const [call, ...words] = parsed as unknown[];
  if (typeof call !== "string" || !Object.hasOwn(SHAPES, call)) return undefined;
  const shape = SHAPES[call as Call];
  return words.length === shape.length && shape.every((check, index) => check(words[index])) ? [call as Call, ...words] : undefined;
}

/** What became of a call. `later`: the number under which that is told on the other descriptor. */
export type Reply = { readonly ok: unknown } | { readonly error: { readonly message: string; readonly code?: string } } | { readonly later: number };

/** How the end of a call is told that took its time. */
export interface Later {
  readonly later: number;
  readonly reply: Reply;
}

/** Characters of a message: part of it may be the controller's own words. */
const LONGEST_MESSAGE = 2000;

export const errorReply = (error: unknown): Reply => {
  const { message, code } = error as NodeJS.ErrnoException;
  return { error: { message: message.slice(0, LONGEST_MESSAGE), ...(code === undefined ? {} : { code }) } };
};

/** Bytes before each reply: how long it is. */
export const HEAD = 4;

/** Replies have maps and sets in them. They go to whoever has less to say; what comes from there is JSON. */
export function encodeReply(reply: Reply | Later): Buffer {
  const body = serialize(reply);
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

export const decodeReply = (body: Buffer): Reply | Later => deserialize(body) as Reply | Later;
