/** Knows the account of what happens, one line a change, as `apply` and `run` print it. */
import type { Event } from "../api/status.ts";
import { colour, out } from "./print.ts";

const time = (eventTime: string): string => colour.dim(new Date(eventTime).toTimeString().slice(0, 8));

/** Prints events; the making and configuring of one object becomes one line. */
export class Account {
  private readonly clock: boolean;
  private object = "";
  private made: string[] = [];
  private fields: string[] = [];
  private when = "";

  constructor(clock = false) {
    this.clock = clock;
  }

  event(event: Event): void {
    if (event.type === "Normal" && (event.reason === "Created" || event.reason === "Configured")) {
      if (event.object !== this.object) this.flush();
      this.object = event.object;
      this.when = event.eventTime;
      if (event.reason === "Created") this.made.push(/\((.*)\)$/.exec(event.note)?.[1] ?? "");
      else this.fields.push(`${event.field} ${event.desired}`);
      return;
    }
    this.flush();
    this.line(
      event.eventTime,
      event.object,
      event.type === "Warning" ? colour.yellow(event.reason) : event.reason,
      `${event.note}${event.source ? colour.dim(`  ${event.source}`) : ""}`,
    );
  }

  /** Prints what is still held back. */
  flush(): void {
    const { made, fields } = this;
    if (made.length === 0 && fields.length === 0) return;
    const parts = [...(fields.length > 0 ? [[...new Set(fields)].join(", ")] : []), ...(made.length > 0 ? [colour.dim(`cgroup in ${made.join(", ")}`)] : [])];
    this.line(this.when, this.object, made.length > 0 ? colour.green("Created") : colour.green("Configured"), parts.join("  "));
    this.made = [];
    this.fields = [];
    this.object = "";
  }

  private line(when: string, object: string, reason: string, text: string): void {
    out(`${this.clock ? `${time(when)}  ` : ""}${object.padEnd(24)}  ${pad(reason, 14)}  ${text}`);
  }
}

/** Pads text that may hold colour codes. */
function pad(text: string, width: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes start with ESC
  const visible = text.replaceAll(/\u001b\[\d+m/g, "").length;
  return text + " ".repeat(Math.max(0, width - visible));
}
