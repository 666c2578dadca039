/** Knows how to answer for a pod's log: what the replica wrote, as `kubectl logs` asks for it. */
import type { ServerResponse } from "node:http";
import type { WorkloadResource } from "../api/resource.ts";
import { logPart } from "../host/logPart.ts";
import type { Range } from "../host/logReader.ts";
import { logFile } from "../host/logs.ts";
import { type Answer, asksFor, failure, type Stream, wholeNumbers } from "./answer.ts";
import { sendPart } from "./logStream.ts";
import { push } from "./resources.ts";

/** How often a followed log is looked at, ms. */
const LOOK = 200;

export async function podLog(workload: WorkloadResource, ordinal: number, logDirectory: string, query: URLSearchParams): Promise<Answer | Stream> {
  const { logs } = workload.run;
  if (logs.journald) return failure("BadRequest", `the log of ${workload.name} goes to the journal: journalctl --identifier ${workload.name}@${ordinal}`);
  if (asksFor(query, "timestamps")) return failure("BadRequest", "what workloads write is kept as it is: there are no timestamps");
  const asked = wholeNumbers(query, ["tailLines", "sinceSeconds", "limitBytes"]);
  if ("refused" in asked) return asked.refused;
  const { tailLines: tail, sinceSeconds: since, limitBytes: most } = asked;
  const time = query.get("sinceTime");
  const from = since !== undefined ? Date.now() - since * 1000 : time === null ? undefined : Date.parse(time);
  if (Number.isNaN(from)) return failure("BadRequest", `invalid sinceTime ${time}: expected RFC 3339`);
  const file = logFile(logDirectory, workload.name, ordinal, logs);
  const previous = asksFor(query, "previous");
  const { range, missing } = await logPart(file, { previous, since: from, tail });
  if (missing && previous) return failure("BadRequest", `previous terminated container "main" in pod "${workload.name}-${ordinal}" not found`);
  return {
    stream: (response) => {
      response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
      response.flushHeaders();
      void send(response, file, range, { most, follow: asksFor(query, "follow") });
    },
  };
}

interface How {
  /** Bytes. */
  readonly most: number | undefined;
  readonly follow: boolean;
}

async function send(response: ServerResponse, file: string, range: Range, { most = Number.POSITIVE_INFINITY, follow }: How): Promise<void> {
  let left = most;
  const take = (bytes: Buffer): boolean => {
    const some = bytes.subarray(0, left);
    left -= some.length;
    if (some.length > 0) push(response, some.toString("latin1"), "latin1");
    return left > 0;
  };
  try {
    let at = await sendPart(response, file, range, take);
    while (follow && left > 0 && range.to === undefined && !response.destroyed) {
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      at = await sendPart(response, file, { from: at, to: undefined }, take);
    }
  } catch {
    // The log went away: what there was has been sent.
  }
  response.end();
}
