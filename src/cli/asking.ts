/** Knows how to ask the controller at work, by its socket; and whether that can tell of what is asked for. */
import { Agent, type IncomingMessage, request } from "node:http";
import { resolve } from "node:path";
import { loadController } from "../reconcile/state.ts";
import { socketIn } from "../serve/serve.ts";
import { type GlobalOptions, placesOf } from "./context.ts";

/** A controller that says nothing for so long is as good as none, ms. */
const PATIENCE = 3000;

/** Other manifests than the controller's, or another host, are nothing that it can tell of. */
function isControllers({ filename, snapshot }: GlobalOptions, runDirectory: string): boolean {
  if (snapshot !== undefined) return false;
  const directory = loadController(runDirectory)?.directory;
  return directory !== undefined && (filename === undefined || resolve(filename) === directory);
}

export class Asking {
  private readonly socketPath: string;
  private readonly agent = new Agent({ keepAlive: true });

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** What it answers; undefined: it is not there, may not be asked, or does not know. */
  async json(path: string): Promise<unknown> {
    const parts: Buffer[] = [];
    const { response, whole } = await this.read(path, (part) => void parts.push(part));
    if (!response || !whole) return undefined;
    try {
      return JSON.parse(Buffer.concat(parts).toString("utf8")) as unknown;
    } catch {
      return undefined;
    }
  }

  /** Passes on what it answers, as it comes. `whole`: up to its end. */
  read(path: string, take: (part: Buffer) => void): Promise<{ readonly response: IncomingMessage | undefined; readonly whole: boolean }> {
    return new Promise((answer) => {
      const asked = request({ socketPath: this.socketPath, path, timeout: PATIENCE, agent: this.agent }, (response) => {
        const told = response.statusCode === 200;
        response.on("data", (part: Buffer) => told && take(part));
        response.on("error", () => {});
        response.on("close", () => answer({ response: told ? response : undefined, whole: response.complete }));
      });
      asked.on("timeout", () => asked.destroy());
      asked.on("error", () => answer({ response: undefined, whole: false }));
      asked.end();
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

/** Undefined: no controller follows these manifests. */
export function askingOf(options: GlobalOptions): Asking | undefined {
  const { runDirectory } = placesOf(options);
  return isControllers(options, runDirectory) ? new Asking(socketIn(runDirectory)) : undefined;
}
