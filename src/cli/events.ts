/** Knows `holdfast events`: what happened, to all objects or one, and what happens. */
import { request } from "node:http";
import { createInterface } from "node:readline";
import type { Event } from "../api/status.ts";
import { ageOf } from "../serve/cells.ts";
import { socketIn } from "../serve/serve.ts";
import { type GlobalOptions, openEngine, placesOf, UsageError } from "./context.ts";
import { parseTarget } from "./get.ts";
import { colour, note, out, structured, table } from "./print.ts";
import { stateOf } from "./served.ts";

export interface EventOptions extends GlobalOptions {
  readonly output: "table" | "json" | "yaml";
  readonly types?: string;
  readonly watch?: boolean;
}

const HEADER = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
const rowOf = ({ eventTime, type, reason, object, note: message, source }: Event): string[] => [
  ageOf(eventTime, Date.now()),
  type === "Warning" ? colour.yellow(type) : type,
  reason,
  object === "Host" ? "host" : `${object.slice(0, object.indexOf("/")).toLowerCase()}${object.slice(object.indexOf("/"))}`,
  source ? `${message} (${source})` : message,
];

export async function events(kind: string | undefined, name: string | undefined, options: EventOptions, version: string): Promise<number> {
  const target = parseTarget(kind, name);
  const { types } = options;
  if (types !== undefined && !["Normal", "Warning"].includes(types)) throw new UsageError(`--types: expected Normal or Warning, found ${types}`);
  const chosen = ({ object, type }: Pick<Event, "object" | "type">): boolean => {
    const [of, called] = object.split("/");
    return (
      (target.kind === undefined || of === target.kind) && (target.name === undefined || called === target.name) && (types === undefined || type === types)
    );
  };
  const found = (await stateOf(openEngine(options), options, version)).events.filter(chosen);
  if (options.output !== "table") out(await structured(found, options.output));
  else if (found.length > 0) out(await table(HEADER, found.map(rowOf), false));
  else if (!options.watch) note("no events");
  if (options.watch) await follow(options, chosen);
  return 0;
}

/** One line for each as it comes, until the controller ends. */
function follow(options: EventOptions, chosen: (event: Pick<Event, "object" | "type">) => boolean): Promise<void> {
  const { runDirectory } = placesOf(options);
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socketIn(runDirectory), path: "/cli/events" }, (response) => {
      const lines = createInterface({ input: response });
      lines.on("line", (line) => {
        const event = JSON.parse(line) as Event;
        if (chosen(event)) out(options.output === "table" ? rowOf(event).join("   ") : JSON.stringify(event));
      });
      const over = (): void => {
        note("the controller has ended");
        resolve();
      };
      response.on("error", () => {});
      lines.on("error", () => {});
      lines.on("close", over);
    });
    asked.on("error", () => reject(new UsageError(`no controller is at work, or it may not be asked (${socketIn(runDirectory)}): there is nothing to watch`)));
    process.once("SIGINT", () => asked.destroy());
    asked.end();
  });
}
