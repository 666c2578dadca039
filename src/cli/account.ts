/** Knows the account of what happens, one line an event, as `apply` and `run` print it. */
import type { Event } from "../api/status.ts";
import { colour, note, out } from "./print.ts";

const time = (eventTime: string): string => colour.dim(new Date(eventTime).toTimeString().slice(0, 8));
const GOOD = new Set(["Created", "Configured"]);
/** Of one kind of ordinary event in a row, no more lines than this: a large host has thousands of objects. */
const MOST_LINES = 100;

export class Account {
  private readonly clock: boolean;
  private reason = "";
  private lines = 0;

  /** `clock`: with the time of day in front. */
  constructor(clock = false) {
    this.clock = clock;
  }

  event({ eventTime, type, reason, object, note: text, source }: Event): void {
    if (reason !== this.reason) this.flush();
    this.reason = reason;
    this.lines++;
    if (type === "Normal" && this.lines > MOST_LINES) return;
    const shown = type === "Warning" ? colour.yellow(reason.padEnd(13)) : GOOD.has(reason) ? colour.green(reason.padEnd(13)) : reason.padEnd(13);
    out(`${this.clock ? `${time(eventTime)}  ` : ""}${object.padEnd(24)}  ${shown}  ${text}${source ? colour.dim(`  ${source}`) : ""}`);
  }

  /** Ends a row of events of one kind. */
  flush(): void {
    if (this.lines > MOST_LINES) note(`… and ${this.lines - MOST_LINES} more ${this.reason}`);
    this.lines = 0;
    this.reason = "";
  }
}
