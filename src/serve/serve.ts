/** Knows how a controller is served: what follows it, what is asked of it, and where. */
import type { Server } from "node:http";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Resource } from "../api/resource.ts";
import type { Event } from "../api/status.ts";
import { credentialsIn } from "../host/credentials.ts";
import { UsageReader } from "../host/usage.ts";
import type { Engine } from "../reconcile/engine.ts";
import type { EngineOptions } from "../reconcile/engineOptions.ts";
import { apiOf } from "./api.ts";
import { dashboard } from "./dashboard.ts";
import { Feed } from "./feed.ts";
import { type Metrics, metricsOf } from "./metrics.ts";
import type { Place } from "./mirror.ts";
import { objectKeyOf, type Served } from "./object.ts";
import { Sampler } from "./sampler.ts";
import { closeServer, servePort, serveSocket } from "./server.ts";
import { UsageOfAll } from "./usageOfAll.ts";

/** Where a port is opened. */
export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** In the run directory. */
export const socketIn = (runDirectory: string): string => join(runDirectory, "holdfast.sock");

/** Connections at a time, at least and at most. */
const [FEWEST, MOST] = [64, 4096];

/** By which names and addresses a port is asked for, besides loopback's. */
function namesOf(host: string): string[] {
  if (["localhost", "127.0.0.1", "::1"].includes(host)) return [];
  if (host !== "0.0.0.0" && host !== "::") return [host];
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) =>
    all.filter(({ internal, scopeid }) => !internal && !scopeid).map(({ address }) => address),
  );
  return [hostname(), ...addresses];
}

export interface ServingOptions {
  readonly place: Place;
  readonly engine: () => Engine;
  /** The manifest directory. */
  readonly directory: string;
  readonly runDirectory: string;
  readonly logDirectory: string;
  /** Token, key and certificate. */
  readonly servingDirectory: string;
  readonly listen: Listen | undefined;
  /** How many files may be open. */
  readonly keep: number;
  readonly warn: (message: string) => void;
  /** The dashboard as it was built: one file of HTML. */
  readonly page: URL;
}

export class Serving {
  private readonly options: ServingOptions;
  private readonly feed: Feed;
  private reader: UsageReader | undefined;
  private sampler: Sampler | undefined;
  private metrics: Metrics | undefined;
  private readonly servers: Server[] = [];
  private notReady: string | undefined = "the first convergence is under way";

  constructor(options: ServingOptions) {
    this.options = options;
    this.feed = new Feed(options.place, options.engine, (path, how) => this.sampler?.usage(path, how), options.warn);
  }

  /** The engine's hooks. */
  get noted(): NonNullable<EngineOptions["noted"]> {
    return (decided, outcomes, scope) => {
      if (outcomes.some(({ action }) => action.type === "create" || action.type === "enable")) this.reader?.lookAgain();
      this.feed.noted(decided, outcomes, scope);
    };
  }

  readonly event = (event: Event): void => this.feed.event(event);
  readonly passed: Metrics["passed"] = (pass) => this.metrics?.passed(pass);
  readonly done: Metrics["done"] = (...what) => this.metrics?.done(...what);

  /** Everything that is declared is in force. */
  ready(): void {
    this.notReady = undefined;
  }

  /** Opens the socket, and the port; what cannot be had is told, and harms nothing. Returns where the port is. */
  async open(): Promise<{ readonly port: number } | undefined> {
    const { engine, runDirectory, warn, keep, directory, logDirectory } = this.options;
    const { host } = engine();
    const reader = new UsageReader(host.base.controllers, host.tree, keep / 3);
    this.reader = reader;
    // A flood of clients must not take the files that the controller needs itself.
    const connections = Math.max(FEWEST, Math.min(MOST, Math.floor(keep / 6)));
    const sampler = new Sampler(reader, () => engine().desired.cgroups.keys());
    this.sampler = sampler;
    sampler.start();
    const metrics = metricsOf(this.feed, engine);
    this.metrics = metrics;
    const resourceOf = (object: Served): Resource | undefined => engine().desired.resources.get(objectKeyOf(object));
    const usageOfAll = new UsageOfAll(reader);
    const respond = apiOf({
      feed: this.feed,
      resourceOf,
      rateOf: (path) => sampler.rate(path),
      directory,
      logDirectory,
      metrics: metrics.answer,
      usage: (question) => usageOfAll.answer(engine().desired, question),
      whyNotReady: () => this.notReady,
      pages: dashboard({ feed: this.feed, sampler, engine, resourceOf, page: this.options.page }),
    });
    try {
      this.servers.push(await serveSocket(socketIn(runDirectory), connections, respond));
    } catch (error) {
      warn(`the socket ${socketIn(runDirectory)} cannot be served: ${(error as Error).message}`);
    }
    const { listen, servingDirectory } = this.options;
    if (!listen) return undefined;
    const names = namesOf(listen.host);
    const credentials = await credentialsIn(servingDirectory, names, warn);
    const server = await servePort(listen, names, credentials, connections, respond);
    this.servers.push(server);
    const address = server.address();
    return { port: typeof address === "object" && address ? address.port : listen.port };
  }

  async close(): Promise<void> {
    this.feed.close();
    this.sampler?.close();
    await Promise.all(this.servers.map(closeServer));
  }
}
