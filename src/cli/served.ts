/** Knows where verbs that look get their objects and events from: the controller at work, by its socket, or else a look at the machine; in one shape. */
import { request } from "node:http";
import { resolve } from "node:path";
import type { Event } from "../api/status.ts";
import { nameLineOf } from "../manifest/locate.ts";
import { loadController } from "../reconcile/state.ts";
import { objectOf } from "../serve/mirror.ts";
import type { Served } from "../serve/object.ts";
import { socketIn } from "../serve/serve.ts";
import { type GlobalOptions, type Opened, placesOf } from "./context.ts";

export interface HostState {
  readonly objects: readonly Served[];
  /** The latest last. */
  readonly events: readonly Event[];
}

/** A controller that says nothing for so long is as good as none, ms. */
const PATIENCE = 3000;

/** What the controller at work answers; undefined: there is none, or it may not be asked. */
function askController(runDirectory: string, path: string): Promise<unknown> {
  return new Promise((answer) => {
    const asked = request({ socketPath: socketIn(runDirectory), path, timeout: PATIENCE }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", () => answer(undefined));
      response.on("end", () => {
        try {
          answer(response.statusCode === 200 ? JSON.parse(Buffer.concat(parts).toString("utf8")) : undefined);
        } catch {
          answer(undefined);
        }
      });
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => answer(undefined));
    asked.end();
  });
}

/** Other manifests than the controller's, or another host, are nothing that it can tell of. */
function isControllers({ filename, snapshot }: GlobalOptions, runDirectory: string): boolean {
  if (snapshot !== undefined) return false;
  const directory = loadController(runDirectory)?.directory;
  return directory !== undefined && (filename === undefined || resolve(filename) === directory);
}

export async function stateOf({ engine, host }: Pick<Opened, "engine" | "host">, options: GlobalOptions, version: string): Promise<HostState> {
  const { runDirectory } = options.snapshot === undefined ? placesOf(options) : host.options;
  const asked = isControllers(options, runDirectory) ? ((await askController(runDirectory, "/cli/state")) as HostState | undefined) : undefined;
  if (asked) return asked;
  const place = { node: host.name, root: host.tree.root, version };
  const objects = engine.views().map((view) => {
    const origin = engine.desired.resources.get(`${view.kind}/${view.metadata.name}`)?.origin;
    return objectOf(view, origin && nameLineOf(origin), place);
  });
  return { objects, events: engine.teller.events };
}
