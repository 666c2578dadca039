/** Knows the controller's end of the way to its monitor: a call is written, and its answer waited for, as with a system call. */
import { readSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { type Call, type Calls, callLine, decodeReply, HEAD, type Later, type Reply } from "./calls.ts";

/** The descriptors that the monitor has given its controller: for calls and their answers, and for what is answered later. */
export const [CALLS, LATER] = [3, 4];

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Channel {
  private readonly pending = new Map<number, Pending>();
  private rest = Buffer.alloc(0);

  /** `gone`: the monitor is. Throws when this process is nobody's controller. */
  constructor(gone: () => void) {
    const later = new Socket({ fd: LATER, readable: true, writable: false });
    later.on("data", (chunk) => this.hear(chunk)).on("error", gone);
    later.on("close", gone);
  }

  /** Throws what the monitor has against it. */
  call<K extends Call>(call: K, ...words: Parameters<Calls[K]>): ReturnType<Calls[K]> {
    const line = Buffer.from(callLine(call, words));
    for (let written = 0; written < line.length; ) written += writeSync(CALLS, line, written);
    const reply = decodeReply(this.read(this.read(HEAD).readUInt32BE()));
    const { later } = reply as { later?: number };
    if (later === undefined) return resultOf(reply as Reply) as ReturnType<Calls[K]>;
    return new Promise<unknown>((resolve, reject) => this.pending.set(later, { resolve, reject })) as ReturnType<Calls[K]>;
  }

  private hear(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= HEAD) {
      const end = HEAD + this.rest.readUInt32BE();
      if (this.rest.length < end) return;
      const { later, reply } = decodeReply(this.rest.subarray(HEAD, end)) as Later;
      this.rest = this.rest.subarray(end);
      this.settle(later, reply);
    }
  }

  private settle(later: number, reply: Reply): void {
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
      const count = readSync(CALLS, buffer, got, length - got, null);
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
