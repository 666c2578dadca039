/** Knows `holdfast logs`: what a workload wrote. */
import { closeSync, openSync, readSync, statSync, watch } from "node:fs";
import { logFile } from "../host/logs.ts";
import { suggest } from "../manifest/suggest.ts";
import { type GlobalOptions, manifestDirectory, placesOf, readManifests, UsageError } from "./context.ts";
import { parseTarget } from "./get.ts";
import { note } from "./print.ts";

export interface LogOptions extends GlobalOptions {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly replica: string;
  readonly previous?: boolean;
}

const CHUNK = 64 * 1024;

export async function logs(name: string, options: LogOptions): Promise<number> {
  const places = placesOf(options);
  const { resources } = readManifests(manifestDirectory(options, places.runDirectory)).manifests;
  const target = name.includes("/") ? (parseTarget(name, undefined).name ?? "") : name;
  const workload = resources.get(`Workload/${target}`);
  if (workload?.kind !== "Workload") {
    const names = [...resources.values()].filter(({ kind }) => kind === "Workload").map((resource) => resource.name);
    throw new UsageError(`Workload ${target} not found${((hint) => (hint ? ` (${hint})` : ""))(suggest(target, names))}`);
  }
  const ordinal = Number(options.replica);
  if (!Number.isInteger(ordinal) || ordinal < 0) throw new UsageError(`--replica: expected a number from 0, found ${options.replica}`);
  const tail = options.tail === undefined ? undefined : Number(options.tail);
  if (tail !== undefined && (!Number.isInteger(tail) || tail < 0)) throw new UsageError(`--tail: expected a number of lines, found ${options.tail}`);
  const live = logFile(places.logDirectory, workload.name, ordinal, workload.run.logs);
  const file = options.previous ? `${live}.1` : live;
  if (!statSync(file, { throwIfNoEntry: false })) {
    if (!options.follow) {
      note(
        options.previous
          ? `${file} does not exist: no log was put aside yet`
          : `${file} does not exist: ${target}@${ordinal} has not started yet, or somebody removed its log`,
      );
      return 1;
    }
  }
  let position = copy(file, tail === undefined ? 0 : startOfTail(file, tail));
  if (!options.follow) return 0;
  await new Promise<void>((resolve) => {
    // A shrunk or replaced file was put aside: go on with the new one from its start.
    const more = (): void => {
      const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      position = copy(file, size < position ? 0 : position);
    };
    const timer = setInterval(more, 500);
    let watcher: ReturnType<typeof watch> | undefined;
    try {
      watcher = watch(file, more);
    } catch {
      watcher = undefined; // not there yet: the timer finds it
    }
    process.once("SIGINT", () => {
      clearInterval(timer);
      watcher?.close();
      resolve();
    });
  });
  return 0;
}

/** Copies a file to stdout from a position on; returns where it ended. */
function copy(file: string, from: number): number {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch {
    return 0;
  }
  try {
    const buffer = Buffer.allocUnsafe(CHUNK);
    let at = from;
    for (let count = readSync(descriptor, buffer, 0, CHUNK, at); count > 0; count = readSync(descriptor, buffer, 0, CHUNK, at)) {
      process.stdout.write(Buffer.from(buffer.subarray(0, count)));
      at += count;
    }
    return at;
  } finally {
    closeSync(descriptor);
  }
}

/** Where the last lines of a file begin, read backwards. */
function startOfTail(file: string, lines: number): number {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (lines === 0 || size === 0) return size;
  const descriptor = openSync(file, "r");
  try {
    const buffer = Buffer.allocUnsafe(CHUNK);
    let found = 0;
    for (let end = size; end > 0; ) {
      const start = Math.max(0, end - CHUNK);
      readSync(descriptor, buffer, 0, end - start, start);
      for (let index = end - start - 1; index >= 0; index--) {
        const lastByte = start + index === size - 1;
        if (buffer[index] === 10 && !lastByte && ++found === lines) return start + index + 1;
      }
      end = start;
    }
    return 0;
  } finally {
    closeSync(descriptor);
  }
}
