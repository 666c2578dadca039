/**
 * Knows how the monitor answers a controller of little privilege: it takes one call at a time, asks what the manifests make necessary (permit.ts), and does that alone. A call that it refuses changes
 * nothing; whatever the controller has become, its manifests are the most that it can have.
 */
import { constants } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Handler } from "../api/resource.ts";
import { pidsIn, replicaOf } from "../host/attempts.ts";
import type { Host } from "../host/host.ts";
import { imageKey } from "../host/images.ts";
import type { KernelLog } from "../host/kernelLog.ts";
import { oomKills } from "../host/observe.ts";
import { give, isRoots } from "../host/share.ts";
import type { User } from "../host/trust.ts";
import { readDenial } from "../oci/denial.ts";
import type { WantedImage } from "../oci/image.ts";
import type { DesiredReplica } from "../plan/desired.ts";
import type { ObservedAttempt } from "../plan/observed.ts";
import { metaOf } from "../plan/replica.ts";
import { targetOf } from "../plan/target.ts";
import { type Call, type Calls, errorReply, type Later, parseCall, type Reply } from "./calls.ts";
import type { Declared } from "./declared.ts";
import {
  isAttempt,
  isReplicaPath,
  type Spot,
  spotOf,
  whyNotMade,
  whyNotPlaced,
  whyNotReleased,
  whyNotRemoved,
  whyNotStarted,
  whyNotWritten,
} from "./permit.ts";

interface Options {
  readonly host: Host;
  readonly declared: Declared;
  readonly user: User;
  /** Makes the directories that both use, when somebody took them away. */
  readonly share: () => void;
  /** Tells the end of a call that takes its time. */
  readonly later: (later: Later) => void;
}

/** So often, and for so long at most (ms), a manifest that is being written is waited for before a call is refused. */
const [PATIENCE, LONGEST_WAIT] = [3, 500];
/** So many calls may be under way that take their time. */
const MOST_UNDER_WAY = 10_000;

/** What a call asks for, once it is known to be allowed. */
type Work = () => unknown;

export class Monitor {
  private readonly options: Options;
  private readonly table: { readonly [K in Call]: (...words: Parameters<Calls[K]>) => Work | string };
  private count = 0;
  private underWay = 0;
  /** Replicas of which a start is under way. */
  private readonly starting = new Set<string>();
  private kernelLog: KernelLog | undefined;

  constructor(options: Options) {
    this.options = options;
    this.table = this.calls();
  }

  /** Answers one line. Calls must come one after the other. Never rejects. */
  async answer(line: string): Promise<Reply> {
    try {
      const parsed = parseCall(line);
      if (!parsed) return errorReply(new Error("that is no call"));
      const work = await this.permitted(...parsed);
      if (this.underWay >= MOST_UNDER_WAY) throw new Error("too many calls are under way");
      const result = work();
      return result instanceof Promise ? this.begin(result) : { ok: result };
    } catch (error) {
      return errorReply(error);
    }
  }

  /** What is not allowed by the manifests as they were read last may be allowed by what they say now. */
  private async permitted(call: Call, ...words: unknown[]): Promise<Work> {
    const { declared } = this.options;
    const ask = this.table[call] as (...words: unknown[]) => Work | string;
    await (call === "facts" ? declared.look() : declared.recent());
    let found = ask(...words);
    for (let round = 0; round < PATIENCE && typeof found === "string"; round++) {
      const again = await declared.look();
      found = ask(...words);
      if (again === undefined) break;
      if (typeof found === "string") await new Promise((resolve) => setTimeout(resolve, Math.min(again, LONGEST_WAIT)));
    }
    if (typeof found === "string") throw new Error(`the monitor refuses ${call}: ${found}`);
    return found;
  }

  private begin(work: Promise<unknown>): Reply {
    const later = ++this.count;
    this.underWay++;
    const done = (reply: Reply): void => {
      this.underWay--;
      this.options.later({ later, reply });
    };
    work.then(
      (ok) => done({ ok }),
      (error) => done(errorReply(error)),
    );
    return { later };
  }

  close(): void {
    this.kernelLog?.close();
  }

  private attemptsOf(replica: string): readonly ObservedAttempt[] {
    return this.options.host.processes.attempts(new Set([replica]));
  }

  private find(attempt: string): ObservedAttempt | undefined {
    return isAttempt(attempt) ? this.attemptsOf(replicaOf(attempt)).find(({ id }) => id === attempt) : undefined;
  }

  private images(): Map<string, WantedImage> {
    const wanted = [...this.options.declared.desired.replicas.values()].flatMap(({ container }): WantedImage[] => {
      const { image, userNamespace } = container?.confinement ?? {};
      return image ? [{ image, mappings: userNamespace }] : [];
    });
    return new Map(wanted.map((each) => [JSON.stringify(each), each]));
  }

  private replicasThatLog(): DesiredReplica[] {
    return [...this.options.declared.desired.replicas.values()].filter(({ container }) => container?.confinement.logSeccomp);
  }

  /** What to do, or why not. */
  private calls(): Monitor["table"] {
    const { host, declared, user, share } = this.options;
    const { files, tree, base, processes, images } = host;
    const { core } = base.controllers;
    const at = (directory: string, work: (spot: Spot) => Work | string): Work | string => {
      const spot = spotOf(directory, tree, base);
      return spot ? work(spot) : `${JSON.stringify(directory).slice(0, 200)} is no cgroup of the tree`;
    };
    const unless = (why: string | undefined, work: Work): Work | string => why ?? work;
    const write =
      (act: (file: string, text: string) => unknown) =>
      (file: string, text: string): Work | string =>
        at(dirname(file), (spot) => {
          const name = basename(file);
          const read = (other: string): string | undefined => files.read(`${dirname(file)}/${other}`);
          if (name !== "cgroup.procs") return unless(whyNotWritten(spot, name, text, declared, read), () => act(file, text));
          const members = pidsIn(files, tree.directory(core, spot.path));
          return unless(whyNotPlaced(spot, text, this.attemptsOf(basename(spot.path)), members), () => act(file, text));
        });
    const about = (attempt: string, work: (found: ObservedAttempt) => Work | string): Work | string => {
      const found = this.find(attempt);
      return found ? work(found) : "there is no such attempt";
    };
    const signalled = (signal: string, work: (name: NodeJS.Signals) => Work | string): Work | string =>
      Object.hasOwn(constants.signals, signal) ? work(signal as NodeJS.Signals) : "there is no such signal";
    const withImage = (wanted: string, work: (image: WantedImage) => Work): Work | string => {
      const image = this.images().get(wanted);
      return image ? work(image) : "no manifest declares that image";
    };
    return {
      facts: () => () => {
        share();
        const { devices, envFiles, accounts, confinement } = declared.machine;
        return { devices, envFiles, accounts, confinement };
      },
      attempts: (replicas) => () => processes.attempts(replicas ? new Set(replicas) : undefined),
      write: write((file, text) => files.write(file, text)),
      writeAndRead: write((file, text) => files.writeAndRead(file, text)),
      makeDirectory: (directory) => {
        // The way to the root is the root's.
        if (base.controllers.all.some((hierarchy) => tree.wayToRoot(hierarchy).includes(directory))) return () => files.makeDirectory(directory);
        return at(directory, (spot) => unless(whyNotMade(spot, declared), () => files.makeDirectory(directory)));
      },
      removeDirectory: (directory) => at(directory, (spot) => unless(whyNotRemoved(spot, declared), () => files.removeDirectory(directory))),
      prepare: (ready) => () => processes.prepare(ready),
      giveLog: (workload) => {
        // A name that is declared is the name of a directory.
        if (!declared.desired.resources.has(`Workload/${workload}`)) return "no manifest declares that workload";
        const directory = join(host.options.logDirectory, workload);
        return () => {
          share();
          if (isRoots(directory)) give(directory, user);
        };
      },
      start: (attempt, id, revision, startedAt) => {
        const replica = declared.desired.replicas.get(id);
        const runs = this.starting.has(id) || this.attemptsOf(id).some(({ main }) => main && !main.exited);
        const why = runs ? "it runs already" : whyNotStarted(attempt, replica, revision);
        if (why !== undefined || !replica) return why ?? "";
        const hierarchies = [...(declared.desired.cgroups.get(replica.path)?.hierarchies ?? [])];
        return () => {
          this.starting.add(id);
          const meta = metaOf(replica, startedAt, oomKills(files, tree, base, replica.path));
          return processes.start({ attempt, replica, meta, hierarchies }).finally(() => this.starting.delete(id));
        };
      },
      signal: (attempt, pid, signal) =>
        signalled(signal, (name) =>
          about(attempt, ({ main }) => (main?.pid === pid ? () => processes.signal(attempt, pid, name) : "that is not its main process")),
        ),
      signalAll: (path, signal) =>
        signalled(signal, (name) => (isReplicaPath(path) ? () => processes.signalAll(path, name) : "that is no cgroup of a workload")),
      handle: (attempt, handler, timeout) =>
        about(attempt, (found) => {
          const target = targetOf(found, declared.desired.replicas.get(found.replica));
          if (!target) return "it has no main process";
          if (!declared.commands.get(found.meta?.workload ?? "")?.has(handler)) return "no manifest declares that command";
          return () => processes.handle(target, JSON.parse(handler) as Handler, timeout);
        }),
      kill: (path) => (isReplicaPath(path) ? () => processes.kill(path) : "that is no cgroup of a workload"),
      release: (attempt, holder) => about(attempt, (found) => unless(whyNotReleased(found), () => processes.release(attempt, holder))),
      hold: (attempt, holder) => about(attempt, () => () => processes.hold(attempt, holder)),
      void: (attempt) => about(attempt, ({ holder }) => (holder ? "it has a holder" : () => processes.void(attempt))),
      sweep: () => () => {
        const there = new Set(processes.attempts().map(({ meta }) => meta?.workload));
        declared.forget((workload) => there.has(workload));
        return [...processes.sweep()];
      },
      imageState: (wanted) => withImage(wanted, (image) => () => images.state(image)),
      prepareImage: (wanted) => withImage(wanted, (image) => () => images.prepare(image)),
      images: () => () => images.list(),
      forgiveImages: (wanted) => () => images.forgive(new Set(wanted)),
      removeImage: (key) => {
        if (!images.list().includes(key)) return "there is no such image";
        const wanted = [...this.images().values()].map(imageKey);
        return wanted.includes(key) || processes.sweep().has(key) ? "it is in use" : () => images.remove(key);
      },
      kernelLog: () => {
        if (this.replicasThatLog().length === 0) return "no workload asks for it";
        return () => {
          this.kernelLog ??= host.kernelLog();
          return this.kernelLog.read().filter((record) => readDenial(record) !== undefined);
        };
      },
    };
  }
}
