/** Knows `holdfast top`: what groups use, live in a terminal or once. It reads the kernel's files itself, whether a controller runs or not. */
import { setTimeout as pause } from "node:timers/promises";
import { parseDuration } from "../api/quantity.ts";
import type { Usage } from "../cgroup/usage.ts";
import { descriptorBudget } from "../host/descriptors.ts";
import { UsageReader } from "../host/usage.ts";
import { pathsByOwner } from "../plan/desired.ts";
import { type GlobalOptions, type Opened, openEngine, UsageError } from "./context.ts";
import { colour, note, out, structured } from "./print.ts";
import { reader } from "./reader.ts";
import { aligned, arranged, cellsOf, HEADER, rowOf, SORTS, type Sort, type TopRow } from "./topRows.ts";

export interface TopOptions extends GlobalOptions {
  readonly output: "table" | "json";
  readonly iterations?: string;
  readonly interval: string;
  readonly sort: Sort;
  readonly tree?: boolean;
  readonly filter?: string;
}

/** The terminal's other screen, and without a cursor (xterm control sequences); and back. */
const [ENTER, LEAVE, HOME, CLEAR_LINE, CLEAR_BELOW] = ["\u001b[?1049h\u001b[?25l", "\u001b[?25h\u001b[?1049l", "\u001b[H", "\u001b[K", "\u001b[J"];
const HELP = "q quit  s sort  t tree  / filter  ↑↓ scroll";

export async function top(options: TopOptions): Promise<number> {
  const iterations = options.iterations === undefined ? undefined : Number(options.iterations);
  if (iterations !== undefined && (!Number.isInteger(iterations) || iterations < 1))
    throw new UsageError(`-n: expected a number of looks from 1, found ${options.iterations}`);
  const interval = parseDuration(options.interval);
  if ("bad" in interval || interval.ok < 100_000)
    throw new UsageError(`--interval: expected a duration of at least 100ms such as 1s, found ${options.interval}`);
  const meter = new Meter(openEngine(options));
  const view = { sort: options.sort, tree: options.tree ?? true, filter: options.filter ?? "" };
  const live = options.output === "table" && process.stdout.isTTY === true && iterations === undefined;
  try {
    // Per second is known from the second look on.
    meter.look(true);
    await pause(Math.min(interval.ok / 1000, 1000));
    if (live) await new Screen(meter, view, interval.ok / 1000).run();
    else
      for (let count = 1; iterations === undefined || count <= iterations; count++) {
        const rows = arranged(meter.look(true), view.sort, view.tree, view.filter);
        if (options.output === "json")
          out(
            await structured(
              rows.map(({ row }) => row),
              "json",
            ),
          );
        else for (const line of aligned([HEADER, ...rows.map(({ row, depth }) => cellsOf(row, depth))])) out(line.trimEnd());
        if (rows.length === 0) note("there are no groups");
        if (count !== iterations) await pause(interval.ok / 1000);
      }
  } finally {
    meter.close();
  }
  return 0;
}

/** Looks at all objects again and again. */
class Meter {
  private readonly opened: Opened;
  private readonly reader: UsageReader;
  private before = new Map<string, { readonly usage: Usage; readonly time: number }>();

  constructor(opened: Opened) {
    this.opened = opened;
    this.reader = new UsageReader(opened.host.base.controllers, opened.host.tree, descriptorBudget());
  }

  /** `closely`: also what takes longer to read; else of `shown` alone. */
  look(closely: boolean, shown: ReadonlySet<string> = new Set()): TopRow[] {
    const { desired } = this.opened.engine;
    const owned = pathsByOwner(desired);
    const now = new Map<string, { readonly usage: Usage; readonly time: number }>();
    const time = performance.now();
    const rows = [...desired.resources.values()].map((resource) => {
      const paths = owned.get(resource.key) ?? [];
      const usage = this.reader.readAll(paths, closely || shown.has(resource.key));
      const before = this.before.get(resource.key);
      now.set(resource.key, { usage, time });
      return rowOf(resource, {
        usage,
        before: before?.usage,
        seconds: before ? (time - before.time) / 1000 : 0,
        cgroups: owned.get(resource.key)?.length ?? 1,
      });
    });
    this.before = now;
    return rows;
  }

  close(): void {
    this.reader.close();
  }
}

interface View {
  sort: Sort;
  tree: boolean;
  filter: string;
}

/** A terminal that is drawn anew every interval, and listens to keys. */
class Screen {
  private readonly meter: Meter;
  private readonly view: View;
  private readonly interval: number;
  private from = 0;
  /** What is being typed as a filter. */
  private typing = false;
  private shown: ReadonlySet<string> = new Set();
  private rows: TopRow[] = [];

  constructor(meter: Meter, view: View, interval: number) {
    this.meter = meter;
    this.view = view;
    this.interval = interval;
  }

  async run(): Promise<void> {
    const { stdin, stdout } = process;
    process.stdout.write(ENTER);
    const raw = stdin.isTTY === true;
    if (raw) stdin.setRawMode(true);
    const over = new AbortController();
    const end = (): void => over.abort();
    const onKey = (data: Buffer): void => {
      if (this.key(data.toString("utf8"))) end();
      else this.draw();
    };
    const onResize = (): void => this.draw();
    stdin.on("data", onKey);
    stdout.on("resize", onResize);
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, end);
    reader.once("gone", end);
    try {
      while (!over.signal.aborted) {
        this.rows = this.meter.look(false, this.shown);
        this.draw();
        await pause(this.interval, undefined, { signal: over.signal }).catch(() => {});
      }
    } finally {
      stdin.off("data", onKey);
      stdin.pause();
      if (raw) stdin.setRawMode(false);
      stdout.off("resize", onResize);
      stdout.write(LEAVE);
    }
  }

  /** True: that is the end. */
  private key(text: string): boolean {
    const { view } = this;
    if (text === "\u0003") return true;
    if (this.typing) {
      if (text === "\r" || text === "\u001b") this.typing = false;
      else if (text === "\u007f") view.filter = view.filter.slice(0, -1);
      else if (/^[\w.-]+$/.test(text)) view.filter += text;
      return false;
    }
    const page = Math.max(1, (process.stdout.rows ?? 24) - 4);
    const steps: Readonly<Record<string, number>> = { "\u001b[A": -1, "\u001b[B": 1, "\u001b[5~": -page, "\u001b[6~": page };
    if (text === "q") return true;
    if (text === "t") view.tree = !view.tree;
    else if (text === "s") view.sort = SORTS[(SORTS.indexOf(view.sort) + 1) % SORTS.length] ?? "cpu";
    else if (text === "/") [this.typing, view.filter] = [true, ""];
    else this.from = Math.max(0, this.from + (steps[text] ?? 0));
    return false;
  }

  private draw(): void {
    const { view } = this;
    const [width, height] = [process.stdout.columns ?? 120, process.stdout.rows ?? 24];
    const all = arranged(this.rows, view.sort, view.tree, view.filter);
    const room = Math.max(1, height - 3);
    this.from = Math.max(0, Math.min(this.from, all.length - room));
    const some = all.slice(this.from, this.from + room);
    this.shown = new Set(some.map(({ row }) => row.key));
    const [header = "", ...lines] = aligned([HEADER, ...some.map(({ row, depth }) => cellsOf(row, depth))]);
    const filter = this.typing || view.filter !== "" ? `  filter: ${view.filter}${this.typing ? "_" : ""}` : "";
    const title = `holdfast top  ${new Date().toLocaleTimeString()}  ${all.length} objects, by ${view.sort}${filter}`;
    const screen = [title.slice(0, width), colour.bold(header.slice(0, width)), ...lines.map((line) => line.slice(0, width)), colour.dim(HELP.slice(0, width))];
    process.stdout.write(`${HOME}${screen.map((line) => `${line}${CLEAR_LINE}`).join("\n")}${CLEAR_BELOW}`);
  }
}
