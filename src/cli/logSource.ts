/** Knows where a replica's log is read from: the controller at work, by its socket, or else the files themselves; to the same end. */
import { type LogAsked, type LogPart, logPart } from "../host/logPart.ts";
import { type Range, readLog } from "../host/logReader.ts";
import { POSITION } from "../serve/logStream.ts";
import type { Asking } from "./asking.ts";

export interface LogSource {
  readonly file: string;
  readonly ordinal: number;
  /** `web@0`. */
  readonly name: string;
  part(asked: LogAsked): Promise<LogPart>;
  /** From a position on; returns where that ended. */
  read(range: Range, write: (bytes: Buffer) => void): Promise<number>;
}

/** A controller that does not answer, any more or at all, is not asked again: the files go on from where that was. */
export function logSource(file: string, workload: string, ordinal: number, controller: Asking | undefined): LogSource {
  let asked = controller;
  const query = (more: Readonly<Record<string, string | number | boolean | undefined>>): string => {
    const all = new URLSearchParams({ workload, ordinal: String(ordinal) });
    for (const [name, value] of Object.entries(more)) if (value !== undefined) all.set(name, String(value));
    return all.toString();
  };
  return {
    file,
    ordinal,
    name: `${workload}@${ordinal}`,
    part: async (which) => {
      const answer = (await asked?.json(`/cli/log/part?${query({ ...which })}`)) as LogPart | undefined;
      if (!answer) asked = undefined;
      return answer ?? (await logPart(file, which));
    },
    read: async (range, write) => {
      let at = range.from;
      const answer = await asked?.read(`/cli/log?${query({ at: range.from, to: range.to })}`, (bytes) => {
        at += bytes.length;
        write(bytes);
      });
      if (answer?.response && answer.whole) return Number(answer.response.trailers[POSITION] ?? at);
      asked = undefined;
      return readLog(file, { ...range, from: at }, write);
    },
  };
}
