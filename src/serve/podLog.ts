/** Knows how to answer for a pod's log: what the replica wrote, as `kubectl logs` asks for it. */
import type { ServerResponse } from "node:http";
import type { WorkloadResource } from "../api/resource.ts";
import { layoutOf } from "../host/logIndex.ts";
import { attemptRange, positionAt, type Range, readLog, startOfTail } from "../host/logReader.ts";
import { logFile } from "../host/logs.ts";
import { type Answer, failure, type Stream } from "./answer.ts";
import { drained, push } from "./resources.ts";

/** How often a followed log is looked at, ms. */
const LOOK = 200;
/** Of a log that is not followed so much is sent at a time, and no more before it was taken. */
const PAUSE = 1024 * 1024;

const numberIn = (query: URLSearchParams, name: string): number | undefined | "bad" => {
  const text = query.get(name);
  return text === null ? undefined : /^\d{1,12}$/.test(text) ? Number(text) : "bad";
};

export function podLog(workload: WorkloadResource, ordinal: number, logDirectory: string, query: URLSearchParams): Answer | Stream {
  const { logs } = workload.run;
  if (logs.journald) return failure("BadRequest", `the log of ${workload.name} goes to the journal: journalctl --identifier ${workload.name}@${ordinal}`);
  if (query.get("timestamps") === "true") return failure("BadRequest", "what workloads write is kept as it is: there are no timestamps");
  const [tail, since, most] = ["tailLines", "sinceSeconds", "limitBytes"].map((name) => numberIn(query, name));
  if (tail === "bad" || since === "bad" || most === "bad") return failure("BadRequest", "tailLines, sinceSeconds and limitBytes are whole numbers");
  const time = query.get("sinceTime");
  const from = since !== undefined ? Date.now() - since * 1000 : time === null ? undefined : Date.parse(time);
  if (Number.isNaN(from)) return failure("BadRequest", `invalid sinceTime ${time}: expected RFC 3339`);
  const file = logFile(logDirectory, workload.name, ordinal, logs);
  const layout = layoutOf(file);
  const previous = query.get("previous") === "true";
  const attempt = attemptRange(layout, previous ? 1 : 0);
  if (previous && !attempt) return failure("BadRequest", `previous terminated container "main" in pod "${workload.name}-${ordinal}" not found`);
  const range: Range =
    from === undefined ? (attempt ?? { from: layout.pieces.at(-1)?.from ?? 0, to: undefined }) : { from: positionAt(layout, from), to: undefined };
  return {
    stream: (response) => {
      response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
      response.flushHeaders();
      void send(response, file, range, { tail, most, follow: query.get("follow") === "true" });
    },
  };
}

interface How {
  readonly tail: number | undefined;
  /** Bytes. */
  readonly most: number | undefined;
  readonly follow: boolean;
}

async function send(response: ServerResponse, file: string, range: Range, { tail, most = Number.POSITIVE_INFINITY, follow }: How): Promise<void> {
  let at = tail === undefined ? range.from : await startOfTail(file, range, tail);
  let left = most;
  const read = async (to: number | undefined): Promise<void> => {
    at = await readLog(file, { from: at, to }, (bytes) => {
      const some = bytes.subarray(0, left);
      left -= some.length;
      if (some.length > 0) push(response, some.toString("latin1"), "latin1");
    });
  };
  try {
    const end = range.to ?? layoutOf(file).pieces.at(-1)?.to ?? at;
    while (at < end && left > 0 && !response.destroyed) {
      const before = at;
      await read(Math.min(end, at + PAUSE));
      if (at === before) break;
      if (response.writableNeedDrain) await drained(response);
    }
    while (follow && left > 0 && range.to === undefined && !response.destroyed) {
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      await read(undefined);
    }
  } catch {
    // The log went away: what there was has been sent.
  }
  response.end();
}
