/** Knows when to look, and at what: events give hints, time gives the rest. One pass at a time; level-triggered. */
import { setImmediate as breath } from "node:timers/promises";
import { type CgroupPath, ROOT } from "../cgroup/path.ts";
import type { ManifestSource } from "../host/guardedManifests.ts";
import { type CgroupWatch, watchCgroups } from "../host/watchCgroups.ts";
import { Agenda } from "./agenda.ts";
import type { Convergence } from "./apply.ts";
import { companionsOf } from "./companions.ts";
import type { Engine } from "./engine.ts";
import { ManifestFeed } from "./feed.ts";
import type { ManifestSet } from "./manifests.ts";
import { Pace } from "./pace.ts";
import type { Pass } from "./pass.ts";
import { Saver } from "./saver.ts";
import { Timers } from "./timers.ts";

export interface LoopOptions {
  readonly engine: Engine;
  readonly directory: ManifestSource;
  readonly set: ManifestSet;
  /** Between full looks, ms. */
  readonly resync: number;
  readonly warn: (message: string) => void;
  /** Writes down what the next controller needs. */
  readonly save: () => Promise<void>;
  /** Whether somebody took that away. */
  readonly lost: () => boolean;
  /** After every pass that did something. */
  readonly settled?: (convergence: Convergence) => void;
  /** After every pass. */
  readonly passed?: (pass: Pass) => void;
}

/** After a pass that failed as a whole, ms. */
const AFTER_FAILURE = 1000;
/** Resyncs between two scans of all manifest files: every change of one raises an event. */
const SCAN_EVERY = 6;
/** Resyncs between two looks at everything; the others glance. All else raises events, and nothing but a flood of them is known to lose one. */
const LOOK_EVERY = 30;

export class Loop {
  private readonly options: LoopOptions;
  private readonly agenda = new Agenda();
  private everything = true;
  private resyncDue = false;
  private resyncs = 0;
  /** What a resync has still to glance at. */
  private glances: Iterator<readonly CgroupPath[]> | undefined;
  /** What is desired may be in other places than before. */
  private structural = false;
  private running: Promise<void> | undefined;
  private stopped = false;
  private cgroupWatch: CgroupWatch | undefined;
  private feed: ManifestFeed | undefined;
  private companions: ReturnType<typeof companionsOf> | undefined;
  private readonly timers = new Timers();
  private readonly pace = new Pace();
  private readonly saver: Saver;

  constructor(options: LoopOptions) {
    this.options = options;
    this.saver = new Saver(options.save, options.warn);
  }

  /** The first convergence; then it goes on by itself until stop(). */
  async start(): Promise<void> {
    const { engine, directory, set, resync, warn } = this.options;
    const { controllers } = engine.machine;
    this.feed = new ManifestFeed({
      engine,
      directory,
      set,
      due: () => this.kick(),
      later: (name, delay) => this.timers.at(name, Date.now() + delay, () => this.readAll()),
    });
    this.cgroupWatch = watchCgroups({
      controllers,
      tree: engine.host.tree,
      changed: (path, touched) => this.cgroupChanged(path, touched),
      exhausted: () => warn("the kernel's limit of inotify watches is reached (fs.inotify.max_user_watches): drift is found at resyncs only"),
    });
    this.companions = companionsOf(engine, {
      look: (path) => this.look(path),
      lookAfresh: (path) => {
        this.cgroupWatch?.rearm(path);
        this.look(path);
      },
      factsChanged: () => this.factsChanged(),
      warn,
    });
    this.kick();
    await this.running;
    this.timers.every("resync", resync, () => {
      this.resyncDue = true;
      this.kick();
    });
  }

  /** Ends the loop; what runs goes on. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timers.stop();
    this.cgroupWatch?.close();
    for (const companion of this.companions?.all ?? []) companion.close();
    await this.feed?.close();
    await this.running;
    await this.saver.last();
  }

  private cgroupChanged(path: CgroupPath, touched?: { hierarchy: string; name: string }): void {
    this.agenda.told(path, Date.now());
    const wait = this.pace.wait(path, Date.now());
    if (wait > 0) this.timers.at(`pace ${path}`, Date.now() + wait, () => this.look(path));
    else this.look(path, touched);
  }

  private look(path: CgroupPath, touched?: { hierarchy: string; name: string }): void {
    if (touched) this.agenda.addFile(path, touched.hierarchy, touched.name);
    else this.agenda.add(path);
    this.kick();
  }

  private kick(): void {
    if (this.stopped || this.running !== undefined) return;
    this.running = this.run().finally(() => {
      this.running = undefined;
      if (this.due()) this.kick();
    });
  }

  private due(): boolean {
    return !this.stopped && (this.everything || this.resyncDue || this.glances !== undefined || this.agenda.size > 0 || this.feed?.due === true);
  }

  private async run(): Promise<void> {
    while (this.due()) {
      try {
        await this.turn();
        // What was told meanwhile goes first.
        if (this.glances) await breath();
      } catch (error) {
        // Nothing a host does may end the controller: it looks at everything again, a little later.
        this.options.passed?.({ seconds: 0, outcomes: [], failed: true, queued: this.agenda.size });
        this.options.warn(`a pass failed: ${(error as Error).stack ?? error}`);
        await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE));
        this.everything = true;
        this.feed?.readAll();
      }
    }
  }

  private async turn(): Promise<void> {
    const { engine, settled, passed } = this.options;
    if (this.resyncDue) await this.resync();
    const glanced = this.glances?.next();
    if (glanced?.done) this.glances = undefined;
    else this.agenda.addAll(glanced?.value ?? []);
    const changed = await this.readManifests();
    // Problems of the manifests are told by a pass, also when they concern no cgroup.
    if (changed && this.agenda.size === 0) this.agenda.add(ROOT);
    const { touched, times } = this.agenda.take();
    const scope = this.everything ? undefined : new Set(touched.keys());
    this.everything = false;
    if (scope?.size === 0) return;
    const news = engine.teller.news;
    const start = performance.now();
    const convergence = await engine.converge(scope, () => !this.stopped, scope ? { touched, times } : {});
    passed?.({ seconds: (performance.now() - start) / 1000, outcomes: convergence.outcomes, failed: false, queued: this.agenda.size });
    this.after(convergence);
    if (this.structural) this.watchDesired();
    this.structural = false;
    if (!this.stopped) for (const companion of this.companions?.all ?? []) companion.sync();
    if (convergence.outcomes.length > 0 || changed || engine.teller.news !== news) {
      settled?.(convergence);
      this.saver.soon(engine.desired.resources.size);
    }
  }

  /** Looks for what raised no event, or whose event was lost. */
  private async resync(): Promise<void> {
    const { engine, lost } = this.options;
    this.resyncDue = false;
    const count = this.resyncs++;
    await this.feed?.refresh();
    if (count % SCAN_EVERY === 0) this.feed?.readAll();
    this.everything ||= count % LOOK_EVERY === 0;
    // One that is not at its end yet goes on: what comes last would have no turn.
    this.glances = this.everything ? undefined : (this.glances ?? engine.glance(count));
    if (!this.everything) this.agenda.addAll([...(this.companions?.lives.glance() ?? []), ...(this.companions?.members.glance() ?? [])]);
    engine.forgetTold();
    if (lost()) this.saver.now();
    this.factsChanged();
  }

  /** Looks up again what lies beside the manifests: env files, disks, accounts, requests. */
  private factsChanged(): void {
    const { engine, set } = this.options;
    this.agenda.addAll(engine.refreshRequests());
    if (engine.refreshFacts(set.manifests)) {
      this.watchDesired();
      this.everything = true;
    }
    this.kick();
  }

  /** Reads what may have changed, and notes what to look at for it; false when all is as it was. */
  private async readManifests(): Promise<boolean> {
    const news = this.feed?.due ? await this.feed.read() : undefined;
    if (!news) return false;
    if ("touched" in news) {
      this.agenda.addTouched(news.touched);
      return true;
    }
    this.structural = true;
    if (news.paths === undefined) this.everything = true;
    this.agenda.addAll(news.paths ?? []);
    return true;
  }

  private readAll(): void {
    this.feed?.readAll();
    this.kick();
  }

  private after({ outcomes, plan }: Convergence): void {
    const { engine } = this.options;
    for (const { action, error } of outcomes) {
      if (action.type === "create" && !error) {
        this.cgroupWatch?.rearm(action.path);
        this.agenda.add(action.path);
        // What was below a cgroup that had gone has gone with it, and nothing told of that.
        if (action.cause === "drift") for (const path of engine.desired.cgroups.keys()) if (path.startsWith(`${action.path}/`)) this.agenda.add(path);
      }
      if (action.type === "write" && action.cause === "drift") this.pace.repaired(action.path, Date.now());
      // What was in it may have been about to go, or have come that moment.
      if (action.type === "remove" && error) this.timers.at(`remove ${action.path}`, Date.now() + AFTER_FAILURE, () => this.look(action.path));
    }
    for (const [path, time] of plan.wakes) this.timers.at(`wake ${path}`, time, () => this.look(path));
  }

  /** Watches what is desired and what still runs, and looks once more at what was not watched while it was made. */
  private watchDesired(): void {
    const { desired, host } = this.options.engine;
    const fresh =
      this.cgroupWatch?.sync(new Map([...desired.cgroups].map(([path, { hierarchies }]) => [path, hierarchies])), new Set(host.records.paths())) ?? [];
    this.agenda.addAll(fresh);
  }
}
