/** Knows how to send what is in a log, as fast as it is taken; and how to answer for `holdfast logs`. */
import type { ServerResponse } from "node:http";
import type { Resource } from "../api/resource.ts";
import { layoutOf } from "../host/logIndex.ts";
import { logPart } from "../host/logPart.ts";
import { presentFrom, type Range, readLog } from "../host/logReader.ts";
import { logFile } from "../host/logs.ts";
import { type Answer, asksFor, failure, json, type Stream, wholeNumbers } from "./answer.ts";
import { drained } from "./resources.ts";

/** So much is sent at a time, bytes, and no more before it was taken. */
const PAUSE = 1024 * 1024;

/** Sends what there is of a part, until `take` has enough; returns where that ended. */
export async function sendPart(response: ServerResponse, file: string, { from, to }: Range, take: (bytes: Buffer) => boolean): Promise<number> {
  let at = to === undefined ? await presentFrom(file, from) : from;
  const end = to ?? layoutOf(file).pieces.at(-1)?.to ?? at;
  for (let [more, before] = [true, -1]; more && at < end && at > before && !response.destroyed; ) {
    before = at;
    at = await readLog(file, { from: at, to: Math.min(end, at + PAUSE) }, (bytes) => {
      more = take(bytes) && more;
    });
    if (response.writableNeedDrain) await drained(response);
  }
  return at;
}

/** A trailer: where in the log what was sent ended. */
export const POSITION = "holdfast-position";

/** `/cli/log/part`: which part is asked for. `/cli/log`: what is in it. */
export async function replicaLog(path: string, query: URLSearchParams, workload: Resource | undefined, logDirectory: string): Promise<Answer | Stream> {
  const asked = wholeNumbers(query, ["ordinal", "at", "to", "since", "tail"]);
  if ("refused" in asked) return asked.refused;
  const { ordinal, at, to, since, tail } = asked;
  if (workload?.kind !== "Workload") return failure("NotFound", "there is no such workload");
  if (ordinal === undefined) return failure("BadRequest", "ordinal is the number of a replica");
  const file = logFile(logDirectory, workload.name, ordinal, workload.run.logs);
  if (path === "/cli/log/part") return json(await logPart(file, { previous: asksFor(query, "previous"), since, tail }));
  if (at === undefined) return failure("BadRequest", "at is a position in the log");
  return {
    stream: (response) => {
      // HTTP/1.0 has no trailers.
      const trailer = response.req.httpVersionMinor > 0;
      response.writeHead(200, { "content-type": "application/octet-stream", "cache-control": "no-cache, private", ...(trailer ? { trailer: POSITION } : {}) });
      const send = async (): Promise<void> => {
        const end = await sendPart(response, file, { from: at, to }, (bytes) => {
          response.write(bytes);
          return true;
        });
        if (trailer) response.addTrailers({ [POSITION]: String(end) });
        response.end();
      };
      send().catch(() => response.destroy());
    },
  };
}
