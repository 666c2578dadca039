/** Knows how the controller tells what happens: for people, or one JSON line each. */
import type { Event } from "../api/status.ts";
import { Account } from "./account.ts";
import { note, out } from "./print.ts";
import { reader } from "./reader.ts";

export interface Teller {
  readonly event: (event: Event) => void;
  readonly say: (message: string) => void;
  readonly warn: (message: string) => void;
  readonly flush: () => void;
}

/** Without a format: for people on a terminal. */
export async function tellerFor(format: "text" | "json" = process.stdout.isTTY ? "text" : "json"): Promise<Teller> {
  if (format === "text") {
    const account = new Account(true);
    const between = (write: () => void): void => {
      account.flush();
      write();
    };
    return {
      event: (event) => account.event(event),
      say: (message) => between(() => out(message)),
      warn: (message) => between(() => note(message)),
      flush: () => account.flush(),
    };
  }
  const { pino, destination } = await import("pino").then((module) => ({ pino: module.pino, destination: module.destination }));
  const target = destination({ fd: 1, sync: true });
  // Whoever reads has gone: end in order. A full disk is no reason to leave a host alone.
  target.on("error", (error: NodeJS.ErrnoException) => error.code === "EPIPE" && reader.emit("gone"));
  const log = pino({ base: null, timestamp: () => `,"time":"${new Date().toISOString()}"`, formatters: { level: (label) => ({ level: label }) } }, target);
  return {
    event: ({ note: message, type, eventTime: _, ...fields }) => log[type === "Warning" ? "warn" : "info"](fields, message),
    say: (message) => log.info(message),
    warn: (message) => log.warn(message),
    flush: () => {},
  };
}
