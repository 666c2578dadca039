/** Knows the controller's end of the way to its monitor: a call is written, and its answer waited for, as with a system call. */
import { readSync, writeSync } from "node:fs";
import { type Call, type Calls, callLine, decodeReply, HEAD, type Later, type Reply } from "./calls.ts";

/** The descriptor that the monitor has given its controller. */
export const DESCRIPTOR = 3;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Channel {
  private readonly pending = new Map<number, Pending>();

  /** Throws when this process is nobody's controller. */
  constructor() {
    if (!process.channel) throw new Error("this process has no monitor");
    process.on("message", (message) => this.hear(message as Later));
    // It tells of the end of what was begun; it is no reason to live on.
    process.channel.unref();
  }

  /** Throws what the monitor has against it. */
  call<K extends Call>(call: K, ...words: Parameters<Calls[K]>): ReturnType<Calls[K]> {
    const line = Buffer.from(callLine(call, words));
    for (let written = 0; written < line.length; ) written += writeSync(DESCRIPTOR, line, written);
    const reply = decodeReply(this.read(this.read(HEAD).readUInt32BE()));
    if (!("later" in reply)) return resultOf(reply) as ReturnType<Calls[K]>;
    return new Promise<unknown>((resolve, reject) => this.pending.set(reply.later, { resolve, reject })) as ReturnType<Calls[K]>;
  }

  private hear({ later, reply }: Later): void {
    const waiting = this.pending.get(later);
    this.pending.delete(later);
    try {
      waiting?.resolve(resultOf(reply));
    } catch (error) {
      waiting?.reject(error as Error);
    }
  }

  private read(length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length);
    for (let got = 0; got < length; ) {
      const count = readSync(DESCRIPTOR, buffer, got, length - got, null);
      if (count === 0) throw new Error("the monitor is gone");
      got += count;
    }
    return buffer;
  }
}

function resultOf(reply: Reply): unknown {
  if ("error" in reply) throw Object.assign(new Error(reply.error.message), reply.error.code === undefined ? {} : { code: reply.error.code });
  return "ok" in reply ? reply.ok : undefined;
}
