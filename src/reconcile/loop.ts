/** Knows when to look, and at what: events give hints, time gives the rest. One pass at a time; level-triggered. */
import { resolve } from "node:path";
import { tellsOfEnds } from "../cgroup/hierarchy.ts";
import { type CgroupPath, ROOT } from "../cgroup/path.ts";
import type { Look, ManifestDirectory } from "../host/manifestFiles.ts";
import { type CgroupWatch, watchCgroups } from "../host/watchCgroups.ts";
import { type ManifestWatch, watchManifests } from "../host/watchManifests.ts";
import { Agenda } from "./agenda.ts";
import { changedPaths } from "./changes.ts";
import type { Convergence, Engine } from "./engine.ts";
import type { ManifestSet } from "./manifests.ts";
import { Pace } from "./pace.ts";
import { Timers } from "./timers.ts";

export interface LoopOptions {
  readonly engine: Engine;
  readonly directory: ManifestDirectory;
  readonly set: ManifestSet;
  /** Between full looks, ms. */
  readonly resync: number;
  readonly warn: (message: string) => void;
  /** Writes down what the next controller needs. */
  readonly save: () => void;
  /** Whether somebody took that away. */
  readonly lost: () => boolean;
  /** After every pass that did something. */
  readonly settled?: (convergence: Convergence) => void;
}

/** On v1 alone nothing tells of a process' end: running workloads are looked at this often, ms. */
const POLL = 1000;
/** After a pass that failed as a whole, ms. */
const AFTER_FAILURE = 1000;
/** Resyncs between two scans of all manifest files: every change of one raises an event. */
const SCAN_EVERY = 6;
/**
 * Resyncs between two looks at everything; the others glance at what is declared and at processes. All else raises events
 * when it changes, and nothing but a flood of events is known to lose one.
 */
const LOOK_EVERY = 30;
/** The status file is written at most this often, ms: on a large host it takes a while. */
const SAVE = 250;
const SAVE_PER_OBJECT = 2;

export class Loop {
  private readonly options: LoopOptions;
  private readonly agenda = new Agenda();
  private readonly files = new Set<string>();
  private everything = false;
  private allFiles = false;
  private resyncDue = false;
  private resyncs = 0;
  /** What is desired may be in other places than before. */
  private structural = false;
  private running: Promise<void> | undefined;
  private stopped = false;
  private cgroupWatch: CgroupWatch | undefined;
  private manifestWatch: ManifestWatch | undefined;
  private readonly timers = new Timers();
  private readonly pace = new Pace();

  constructor(options: LoopOptions) {
    this.options = options;
  }

  /** The first convergence; then it goes on by itself until stop(). */
  async start(): Promise<void> {
    const { engine, directory, resync, warn } = this.options;
    const { controllers } = engine.machine;
    this.manifestWatch = watchManifests(resolve(directory.path), (file) => {
      if (file === undefined) this.allFiles = true;
      else this.files.add(file);
      this.kick();
    });
    this.cgroupWatch = watchCgroups({
      controllers,
      tree: engine.host.tree,
      changed: (path, touched) => this.cgroupChanged(path, touched),
      exhausted: () => warn("the kernel's limit of inotify watches is reached (fs.inotify.max_user_watches): drift is found at resyncs only"),
    });
    this.allFiles = true;
    this.everything = true;
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
    await this.manifestWatch?.close();
    await this.running;
    this.save();
  }

  private cgroupChanged(path: CgroupPath, touched?: { hierarchy: string; name: string }): void {
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
    return !this.stopped && (this.everything || this.allFiles || this.resyncDue || this.agenda.size > 0 || this.files.size > 0);
  }

  private async run(): Promise<void> {
    while (this.due()) {
      try {
        await this.turn();
      } catch (error) {
        // Nothing a host does may end the controller: it looks at everything again, a little later.
        this.options.warn(`a pass failed: ${(error as Error).stack ?? error}`);
        await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE));
        this.everything = true;
        this.allFiles = true;
      }
    }
  }

  private async turn(): Promise<void> {
    const { engine, settled } = this.options;
    if (this.resyncDue) {
      this.resyncDue = false;
      const count = this.resyncs++;
      if (count % SCAN_EVERY === 0 || (await this.manifestWatch?.refresh())) this.allFiles = true;
      if (count % LOOK_EVERY === 0) this.everything = true;
      else this.agenda.addAll([...engine.glance(count), ...this.runningPaths()]);
      engine.forgetTold();
      if (this.options.lost()) this.save();
      if (engine.refreshFacts(this.options.set.manifests)) {
        this.watchDesired();
        this.everything = true;
      }
    }
    // Watch first, look afterwards: nothing can happen in between unseen.
    if (this.allFiles) await this.manifestWatch?.refresh();
    const changed = this.readManifests();
    // Problems of the manifests are told by a pass, also when they concern no cgroup.
    if (changed && this.agenda.size === 0) this.agenda.add(ROOT);
    const touched = this.agenda.take();
    const scope = this.everything ? undefined : new Set(touched.keys());
    this.everything = false;
    if (scope?.size === 0) return;
    const news = engine.news;
    const convergence = await engine.converge(scope, () => !this.stopped, scope && touched);
    this.after(convergence);
    if (this.structural) this.watchDesired();
    this.structural = false;
    if (convergence.outcomes.length > 0 || changed || engine.news !== news) {
      settled?.(convergence);
      this.timers.at("save", Date.now() + SAVE + SAVE_PER_OBJECT * engine.desired.resources.size, () => this.save());
    }
  }

  /** Reads what may have changed, and notes what to look at for it; false when all is as it was. */
  private readManifests(): boolean {
    const { directory, set, engine } = this.options;
    if (!this.allFiles && this.files.size === 0) return false;
    const look: Look = (this.allFiles ? undefined : directory.look(this.files)) ?? directory.scan();
    this.allFiles = false;
    this.files.clear();
    if (look.again !== undefined) this.timers.at("manifests", Date.now() + look.again, () => this.allFilesAgain());
    const updated = set.update(look.contents, { part: look.part, calm: look.calmIn === 0 });
    if (set.lingers) this.timers.at("calm", Date.now() + look.calmIn + 1, () => this.allFilesAgain());
    if (updated === undefined) return false;
    const amended = updated === "all" ? undefined : engine.amend(set.manifests, updated);
    if (amended) {
      this.agenda.addTouched(amended);
      return true;
    }
    this.structural = true;
    const before = engine.desired;
    engine.load(set.manifests);
    const changed = changedPaths(before, engine.desired);
    if (changed === undefined) this.everything = true;
    this.agenda.addAll(changed ?? []);
    return true;
  }

  private allFilesAgain(): void {
    this.allFiles = true;
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
    }
    if (plan.wakeAt !== undefined) this.timers.at("wake", plan.wakeAt, () => this.wake());
    const polled = !tellsOfEnds(engine.machine.controllers) && engine.desired.replicas.size > 0;
    if (polled) this.timers.at("poll", Date.now() + POLL, () => this.wake());
  }

  /** Looks at all replicas: a back-off or a grace period is over. */
  private wake(): void {
    for (const { path } of this.options.engine.desired.replicas.values()) this.agenda.add(path);
    this.agenda.addAll(this.runningPaths());
    this.kick();
  }

  /** Watches what is desired and what still runs, and looks once more at what was not watched while it was made. */
  private watchDesired(): void {
    const { cgroups } = this.options.engine.desired;
    const fresh = this.cgroupWatch?.sync(new Map([...cgroups].map(([path, { hierarchies }]) => [path, hierarchies])), new Set(this.runningPaths())) ?? [];
    this.agenda.addAll(fresh);
  }

  /** Cgroups of workloads that were started, declared or not. */
  private runningPaths(): CgroupPath[] {
    const { records } = this.options.engine.host;
    return records.list().flatMap((id) => {
      const path = records.read(id)?.current?.path;
      return path === undefined ? [] : [path as CgroupPath];
    });
  }

  private save(): void {
    try {
      this.options.save();
    } catch (error) {
      this.options.warn(`the status file could not be written: ${(error as Error).message}`);
    }
  }
}
