/** Knows the account of what happens, one line a change, as `apply` and `run` print it. */
import type { Event } from "../api/status.ts";
import { colour, out } from "./print.ts";

const time = (eventTime: string): string => colour.dim(new Date(eventTime).toTimeString().slice(0, 8));

/** What became of one object (or of one cgroup that went) in one pass. */
interface Sum {
  readonly when: string;
  readonly object: string;
  readonly reason: "Created" | "Configured" | "Pruned";
  readonly fields: Set<string>;
  readonly hierarchies: string[];
}

/** Prints events. The making, configuring or removing of one object is many events and one line. */
export class Account {
  private readonly clock: boolean;
  private readonly sums = new Map<string, Sum>();

  constructor(clock = false) {
    this.clock = clock;
  }

  event(event: Event): void {
    const { reason, object, eventTime, note } = event;
    if (event.type === "Normal" && (reason === "Created" || reason === "Configured" || reason === "Pruned")) {
      const [, cgroup = "", hierarchy = ""] = /(\S*) \(([^()]*)\)$/.exec(note) ?? [];
      const key = reason === "Pruned" ? `${object} ${cgroup}` : object;
      const sum = this.sums.get(key) ?? { when: eventTime, object, reason, fields: new Set(), hierarchies: [] };
      this.sums.set(key, sum);
      if (reason === "Configured") sum.fields.add(`${event.field} ${event.desired}`);
      else sum.hierarchies.push(hierarchy);
      if (reason === "Pruned") sum.fields.add(`cgroup ${cgroup}`);
      return;
    }
    this.flush();
    this.line(eventTime, object, event.type === "Warning" ? colour.yellow(reason) : reason, `${note}${event.source ? colour.dim(`  ${event.source}`) : ""}`);
  }

  /** Prints what is still held back. */
  flush(): void {
    for (const { when, object, reason, fields, hierarchies } of this.sums.values()) {
      const where = hierarchies.length > 0 ? colour.dim(`${reason === "Pruned" ? "" : "cgroup "}in ${hierarchies.join(", ")}`) : "";
      this.line(when, object, colour.green(reason), [[...fields].join(", "), where].filter(Boolean).join("  "));
    }
    this.sums.clear();
  }

  private line(when: string, object: string, reason: string, text: string): void {
    out(`${this.clock ? `${time(when)}  ` : ""}${object.padEnd(22)}  ${pad(reason, 13)}  ${text}`);
  }
}

/** Pads text that may hold colour codes. */
function pad(text: string, width: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes start with ESC
  const visible = text.replaceAll(/\u001b\[\d+m/g, "").length;
  return text + " ".repeat(Math.max(0, width - visible));
}
