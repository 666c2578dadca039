/** Knows `holdfast top`: what groups use, live in a terminal or once. */
import { setTimeout as pause } from "node:timers/promises";
import { parseDuration, wholeNumber } from "../api/quantity.ts";
import type { ObjectKey } from "../api/resource.ts";
import { type GlobalOptions, openEngine, UsageError } from "./context.ts";
import { colour, note, out, structured } from "./print.ts";
import { reader } from "./reader.ts";
import { usageSource } from "./served.ts";
import { Meter, NOTHING, SHORTEST } from "./topMeter.ts";
import { aligned, arranged, cellsOf, HEADER, SORTS, type Sort, type TopRow } from "./topRows.ts";

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
/** The second look comes so soon at the latest, ms. */
const SOON = 1000;
/** A control sequence, or a character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they begin with
const KEYS = /\u001b\[[0-9;]*[A-Za-z~]|./gsu;
const HELP = "q quit  s sort  t tree  / filter  ↑↓ scroll";

export async function top(options: TopOptions): Promise<number> {
  const iterations = options.iterations === undefined ? undefined : (wholeNumber(options.iterations) ?? 0);
  if (iterations === 0) throw new UsageError(`-n: expected a number of looks from 1, found ${options.iterations}`);
  const interval = parseDuration(options.interval);
  if ("bad" in interval || interval.ok < SHORTEST * 1000)
    throw new UsageError(`--interval: expected a duration of at least 100ms such as 1s, found ${options.interval}`);
  const opened = openEngine(options);
  // Watching takes a while to load.
  const manifests = iterations === 1 ? undefined : await (await import("./followManifests.ts")).followManifests(opened, options);
  const meter = new Meter(opened, usageSource(opened, options), manifests);
  const view = { sort: options.sort, tree: options.tree ?? true, filter: options.filter ?? "" };
  const live = options.output === "table" && process.stdout.isTTY === true && iterations === undefined;
  try {
    // Per second is known from the second look on.
    await meter.look(live ? options.sort : undefined, NOTHING);
    await pause(Math.min(interval.ok / 1000, SOON));
    if (live) await new Screen(meter, view, interval.ok / 1000).run();
    else
      for (let count = 1; iterations === undefined || count <= iterations; count++) {
        const rows = arranged(await meter.look(undefined, NOTHING), view.sort, view.tree, view.filter);
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
    await meter.close();
  }
  return 0;
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
  private shown: ReadonlySet<ObjectKey> = NOTHING;
  /** Of which everything is known since the last look. */
  private looked: ReadonlySet<ObjectKey> = NOTHING;
  private rows: readonly TopRow[] = [];
  private arranged: ReturnType<typeof arranged> = [];
  /** What it was arranged of, and how. */
  private arrangedOf: readonly unknown[] = [];

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
    let over = false;
    let hungUp = false;
    let waiting = new AbortController();
    const end = (): void => {
      over = true;
      waiting.abort();
    };
    // There may be more to tell than is known.
    const drawn = (): void => {
      this.draw();
      waiting.abort();
    };
    const onKey = (data: Buffer): void => {
      // Several may come at once.
      if ((data.toString("utf8").match(KEYS) ?? []).some((key) => this.key(key))) end();
      else drawn();
    };
    stdin.on("data", onKey);
    stdout.on("resize", drawn);
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, end);
    process.once("SIGHUP", () => {
      hungUp = true;
      end();
    });
    reader.once("gone", end);
    try {
      for (let before = this.view.sort; !over; ) {
        const { sort } = this.view;
        // Per second is known from the second look at what it is sorted by.
        const interval = sort === before ? this.interval : Math.min(this.interval, SOON);
        before = sort;
        const { shown } = this;
        this.rows = await this.meter.look(sort, shown);
        this.looked = shown;
        const now = performance.now();
        this.draw();
        for (;;) {
          if (sort === this.view.sort) await this.tellNews();
          waiting = new AbortController();
          // Little is known of what it is not sorted by.
          const left = now + (sort === this.view.sort ? interval : SHORTEST) - performance.now();
          if (over || left <= 0) break;
          await pause(left, undefined, { signal: waiting.signal }).catch(() => {});
        }
      }
    } finally {
      stdin.off("data", onKey);
      stdin.pause();
      if (raw) stdin.setRawMode(false);
      stdout.off("resize", drawn);
      stdout.write(LEAVE);
      // Without a terminal Node cannot end as usual: it would dump core over settings that it cannot put back.
      if (hungUp) process.kill(process.pid, "SIGHUP");
    }
  }

  /** Of what is shown and little known. */
  private async tellNews(): Promise<void> {
    const ofNews = (): ReadonlySet<ObjectKey> => new Set([...this.shown].filter((key) => !this.looked.has(key)));
    for (let news = ofNews(); news.size > 0; news = ofNews()) {
      this.rows = await this.meter.detail(news);
      this.looked = new Set([...this.looked, ...news]);
      this.draw();
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
    const how = [this.rows, view.sort, view.tree, view.filter];
    if (how.some((one, index) => one !== this.arrangedOf[index]))
      [this.arranged, this.arrangedOf] = [arranged(this.rows, view.sort, view.tree, view.filter), how];
    const all = this.arranged;
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
