/** Knows `holdfast logs`: what a workload wrote. */
import { spawnSync } from "node:child_process";
import { parseDuration, wholeNumber } from "../api/quantity.ts";
import type { WorkloadResource } from "../api/resource.ts";
import { replicaName } from "../cgroup/path.ts";
import type { Range } from "../host/logReader.ts";
import { logFile } from "../host/logs.ts";
import { loadController } from "../reconcile/state.ts";
import { askingOf } from "./asking.ts";
import { type GlobalOptions, type Places, placesOf, UsageError, workloadNamed } from "./context.ts";
import { type LogSource, logSource } from "./logSource.ts";
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
const LOOK = 200;

export async function logs(name: string, options: LogOptions): Promise<number> {
  const places = placesOf(options);
  const workload = workloadNamed(name, options, places);
  const tail = wholeOf(options.tail, "--tail: expected a number of lines");
  const since = options.since === undefined ? undefined : parseDuration(options.since);
  if (since && "bad" in since) throw new UsageError(`--since: expected ${since.bad}, found ${options.since}`);
  const replicas = Math.max(1, workload.run.replicas);
  const ordinals = ordinalsOf(replicas, options.replica);
  if (workload.run.logs.journald) return journal(workload, ordinals, options);
  const controller = logDirectoryIs(places) ? askingOf(options) : undefined;
  const sources = ordinals.map((ordinal) =>
    logSource(logFile(places.logDirectory, workload.name, ordinal, workload.run.logs), workload.name, ordinal, controller),
  );
  const prefixed = options.prefix ?? sources.length > 1;
  const ranges = new Map<LogSource, Range>();
  const asked = { previous: options.previous === true, since: since && Math.max(0, Math.round(Date.now() - since.ok / 1000)), tail };
  let missing = 0;
  for (const source of sources) {
    const { file, name } = source;
    const { range, missing: what } = await source.part(asked);
    const declared = source.ordinal < replicas;
    if (!what || (what === "log" && declared && options.follow && !options.previous)) ranges.set(source, range);
    else {
      const why = declared
        ? `${name} has not started yet, or somebody removed its log`
        : `${workload.name} has ${replicas === 1 ? "one replica, 0" : `${replicas} replicas, 0 to ${replicas - 1}`}`;
      note(what === "log" ? `${file} does not exist: ${why}` : `${name} has not run before, or what it wrote is gone`);
      missing++;
    }
  }
  const printers = new Map(sources.map((source) => [source, printer(prefixed ? `${source.name} | ` : "")]));
  await printAll(ranges, printers);
  if (options.follow && ranges.size > 0) await follow(ranges, printers);
  for (const { end } of printers.values()) end();
  controller?.close();
  return missing > 0 && missing === sources.length ? 1 : 0;
}

/** Where the controller writes them: `--log-dir` may name another place. */
const logDirectoryIs = ({ runDirectory, logDirectory }: Places): boolean => loadController(runDirectory)?.logDirectory === logDirectory;

function ordinalsOf(replicas: number, replica: string | undefined): number[] {
  const ordinal = wholeOf(replica, "--replica: expected a number from 0");
  return ordinal === undefined ? Array.from({ length: replicas }, (_, index) => index) : [ordinal];
}

function wholeOf(text: string | undefined, expected: string): number | undefined {
  if (text === undefined) return undefined;
  const number = wholeNumber(text);
  if (number === undefined) throw new UsageError(`${expected}, found ${text === "" ? "nothing" : text}`);
  return number;
}

interface Printer {
  write(bytes: Buffer): void;
  /** Nothing more comes: also a line that is not at its end. */
  end(): void;
}

/** Prints what comes as it is, or whole lines with a prefix each. */
function printer(prefix: string): Printer {
  if (prefix === "") return { write: (bytes) => void process.stdout.write(Buffer.from(bytes)), end: () => {} };
  let rest = "";
  const print = (lines: readonly string[]): void => void process.stdout.write(Buffer.from(lines.map((line) => `${prefix}${line}\n`).join(""), "latin1"));
  return {
    write: (bytes) => {
      const lines = (rest + bytes.toString("latin1")).split("\n");
      rest = lines.pop() ?? "";
      if (lines.length > 0) print(lines);
    },
    end: () => {
      if (rest !== "") print([rest]);
      rest = "";
    },
  };
}

/** Prints what there is of each range; each goes on where that ended. */
async function printAll(ranges: Map<LogSource, Range>, printers: ReadonlyMap<LogSource, Printer>): Promise<void> {
  for (const [source, range] of ranges) {
    const from = await source.read(range, (bytes) => printers.get(source)?.write(bytes));
    ranges.set(source, { from, to: undefined });
  }
}

function follow(ranges: Map<LogSource, Range>, printers: ReadonlyMap<LogSource, Printer>): Promise<void> {
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
function journal({ name }: WorkloadResource, ordinals: readonly number[], { follow: following, tail, since, previous }: LogOptions): number {
  if (previous) throw new UsageError("--previous: the journal does not know where an attempt begins; use --since");
  const words = [
    ...ordinals.flatMap((ordinal) => ["--identifier", replicaName(name, ordinal)]),
    ...(following ? ["--follow"] : ["--no-pager"]),
    ...(tail === undefined ? [] : ["--lines", tail]),
    ...(since === undefined ? [] : ["--since", `-${since}`]),
  ];
  const { status, error } = spawnSync("journalctl", words, { stdio: "inherit" });
  if (error) throw new UsageError(`the log is in the journal, and journalctl cannot be run: ${error.message}`);
  return status ?? 1;
}
