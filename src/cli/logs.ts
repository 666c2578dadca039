/** Knows `holdfast logs`: what a workload wrote. */
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { parseDuration } from "../api/quantity.ts";
import type { WorkloadResource } from "../api/resource.ts";
import { replicaName } from "../cgroup/path.ts";
import { layoutOf } from "../host/logIndex.ts";
import { attemptRange, positionAt, type Range, readLog, startOfTail } from "../host/logReader.ts";
import { logFile } from "../host/logs.ts";
import { type GlobalOptions, type Places, placesOf, UsageError, workloadNamed } from "./context.ts";
import { note } from "./print.ts";

export interface LogOptions extends GlobalOptions {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly replica?: string;
  readonly previous?: boolean;
  readonly since?: string;
  readonly prefix?: boolean;
}

/** How often a followed log is looked at, ms. */
const LOOK = 100;

/** The log of one replica. */
interface Source {
  readonly file: string;
  readonly name: string;
}

export async function logs(name: string, options: LogOptions): Promise<number> {
  const places = placesOf(options);
  const workload = workloadNamed(name, options, places);
  const tail = options.tail === undefined ? undefined : Number(options.tail);
  if (tail !== undefined && (!Number.isInteger(tail) || tail < 0)) throw new UsageError(`--tail: expected a number of lines, found ${options.tail}`);
  const since = options.since === undefined ? undefined : parseDuration(options.since);
  if (since && "bad" in since) throw new UsageError(`--since: expected ${since.bad}, found ${options.since}`);
  const sources = sourcesOf(workload, places, options.replica);
  if (workload.run.logs.journald) return journal(sources, options);
  const prefixed = options.prefix ?? sources.length > 1;
  const ranges = new Map<Source, Range>();
  let missing = 0;
  for (const source of sources) {
    const { file } = source;
    const layout = layoutOf(file);
    const there = statSync(file, { throwIfNoEntry: false }) !== undefined;
    const attempt = attemptRange(layout, options.previous ? 1 : 0);
    if (options.previous ? !attempt : !there && !options.follow) {
      const why = !there ? `${file} does not exist: ${source.name} has not started yet, or somebody removed its log` : `${source.name} has not run before`;
      note(why);
      missing++;
      continue;
    }
    const whole = since
      ? { from: positionAt(layout, Date.now() - since.ok / 1000), to: undefined }
      : (attempt ?? { from: layout.pieces.at(-1)?.from ?? 0, to: undefined });
    ranges.set(source, tail === undefined ? whole : { ...whole, from: await startOfTail(file, whole, tail) });
  }
  const printers = new Map(sources.map((source) => [source, printer(prefixed ? `${source.name} | ` : "")]));
  await printAll(ranges, printers);
  if (options.follow) await follow(ranges, printers);
  return missing > 0 && missing === sources.length ? 1 : 0;
}

function sourcesOf({ name, run }: WorkloadResource, places: Places, replica: string | undefined): Source[] {
  const ordinal = Number(replica);
  if (replica !== undefined && (!Number.isInteger(ordinal) || ordinal < 0)) throw new UsageError(`--replica: expected a number from 0, found ${replica}`);
  const ordinals = replica === undefined ? Array.from({ length: Math.max(1, run.replicas) }, (_, index) => index) : [ordinal];
  return ordinals.map((each) => ({ file: logFile(places.logDirectory, name, each, run.logs), name: replicaName(name, each) }));
}

/** Prints what comes as it is, or whole lines with a prefix each. */
function printer(prefix: string): (bytes: Buffer) => void {
  if (prefix === "") return (bytes) => void process.stdout.write(Buffer.from(bytes));
  let rest = "";
  return (bytes) => {
    const lines = (rest + bytes.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) process.stdout.write(Buffer.from(lines.map((line) => `${prefix}${line}\n`).join(""), "latin1"));
  };
}

/** Prints what there is of each range; each goes on where that ended. */
async function printAll(ranges: Map<Source, Range>, printers: ReadonlyMap<Source, (bytes: Buffer) => void>): Promise<void> {
  for (const [source, range] of ranges) {
    const from = await readLog(source.file, range, (bytes) => printers.get(source)?.(bytes));
    ranges.set(source, { from, to: undefined });
  }
}

function follow(ranges: Map<Source, Range>, printers: ReadonlyMap<Source, (bytes: Buffer) => void>): Promise<void> {
  return new Promise((resolve) => {
    let ended = false;
    const more = async (): Promise<void> => {
      await printAll(ranges, printers);
      if (!ended) timer = setTimeout(() => void more(), LOOK);
    };
    let timer = setTimeout(() => void more(), LOOK);
    process.once("SIGINT", () => {
      ended = true;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** What went to the journal is the journal's to show. */
function journal(sources: readonly Source[], { follow: following, tail, since, previous }: LogOptions): number {
  if (previous) throw new UsageError("--previous: the journal does not know where an attempt begins; use --since");
  const words = [
    ...sources.flatMap(({ name }) => ["--identifier", name]),
    ...(following ? ["--follow"] : ["--no-pager"]),
    ...(tail === undefined ? [] : ["--lines", tail]),
    ...(since === undefined ? [] : ["--since", `-${since}`]),
  ];
  const { status, error } = spawnSync("journalctl", words, { stdio: "inherit" });
  if (error) throw new UsageError(`the log is in the journal, and journalctl cannot be run: ${error.message}`);
  return status ?? 1;
}
