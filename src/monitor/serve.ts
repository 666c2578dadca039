/** Knows how a monitor listens to its controller: one line after the other, each answered before the next is read. */
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { encodeReply, type Later, LONGEST_CALL } from "./calls.ts";
import type { Monitor } from "./monitor.ts";

/** Tells the end of a call that took its time; `told` hears when it has been taken. */
export function tellLater(stream: Duplex, later: Later, told: () => void): void {
  if (stream.writable) stream.write(encodeReply(later), told);
  else told();
}

/** Ends with the stream. Rejects when the controller says more at once than any controller has to say. */
export async function serve(stream: Duplex, monitor: Pick<Monitor, "answer">): Promise<void> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let rest = chunk;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const line = Buffer.concat([...parts, rest.subarray(0, end)]).toString("utf8");
      rest = rest.subarray(end + 1);
      parts.length = length = 0;
      // Nobody takes more answers than it reads.
      if (!stream.write(encodeReply(await monitor.answer(line)))) await once(stream, "drain");
    }
    parts.push(rest);
    length += rest.length;
    if (length > LONGEST_CALL) throw new Error(`the controller sent more than ${LONGEST_CALL} bytes without an end`);
  }
}
