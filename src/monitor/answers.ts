/** Knows what each call does, and asks first whether it may: the table of the monitor. */
import { constants } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Handler } from "../api/resource.ts";
import { pidsIn, replicaOf } from "../host/attempts.ts";
import type { Host } from "../host/host.ts";
import { imageKey } from "../host/images.ts";
import type { KernelLog } from "../host/kernelLog.ts";
import { oomKills } from "../host/memory.ts";
import { giveDirectory } from "../host/share.ts";
import type { User } from "../host/trust.ts";
import { readDenial } from "../oci/denial.ts";
import { type WantedImage, wantedImage } from "../oci/image.ts";
import { wantedImages } from "../plan/image.ts";
import type { ObservedAttempt } from "../plan/observed.ts";
import { metaOf } from "../plan/replica.ts";
import { targetOf } from "../plan/target.ts";
import type { Call, Calls } from "./calls.ts";
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

export interface Served {
  readonly host: Host;
  readonly declared: Declared;
  readonly user: User;
  /** Makes the directories that both use, when somebody took them away. */
  readonly share: () => void;
}

/** What a call asks for, once it is known to be allowed. */
export type Work = () => unknown;

/** What to do, or why not. */
export type Answers = { readonly [K in Call]: (...words: Parameters<Calls[K]>) => Work | string };

/** `web.0.log`, `web.0.log.1`, `.web.0.log.index`. */
function isLogOf(workload: string, name: string): boolean {
  const visible = name.replace(/^\./, "");
  return visible.startsWith(`${workload}.`) && /^\d+\.log(\.|$)/.test(visible.slice(workload.length + 1));
}

/** What is at work, by name. */
class AtWork {
  private readonly counts = new Map<string, number>();

  count(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  async during<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.counts.set(name, this.count(name) + 1);
    try {
      return await work();
    } finally {
      if (this.count(name) > 1) this.counts.set(name, this.count(name) - 1);
      else this.counts.delete(name);
    }
  }
}

export function answers({ host, declared, user, share }: Served): { readonly table: Answers; close(): void } {
  const [starting, releasing, commands] = [new AtWork(), new AtWork(), new AtWork()];
  const preparing = new Map<string, Promise<void>>();
  let kernelLog: KernelLog | undefined;
  const { files, tree, base, processes, images } = host;
  const { core } = base.controllers;
  const attemptsOf = (replica: string): readonly ObservedAttempt[] => processes.attempts(new Set([replica]));
  const find = (attempt: string): ObservedAttempt | undefined =>
    isAttempt(attempt) ? attemptsOf(replicaOf(attempt)).find(({ id }) => id === attempt) : undefined;
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
        return unless(whyNotPlaced(spot, text, attemptsOf(basename(spot.path)), members), () => act(file, text));
      });
  const about = (attempt: string, work: (found: ObservedAttempt) => Work | string): Work | string => {
    const found = find(attempt);
    return found ? work(found) : "there is no such attempt";
  };
  const signalled = (signal: string, work: (name: NodeJS.Signals) => Work | string): Work | string =>
    Object.hasOwn(constants.signals, signal) ? work(signal as NodeJS.Signals) : "there is no such signal";
  const withImage = (wanted: string, work: (image: WantedImage) => Work): Work | string => {
    const image = wantedImages(declared.desired).find((declaredImage) => JSON.stringify(declaredImage) === wanted);
    return image ? work(image) : "no manifest declares that image";
  };
  const table: Answers = {
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
      return () => {
        share();
        giveDirectory(join(host.options.logDirectory, workload), user, (name) => isLogOf(workload, name));
      };
    },
    start: (attempt, id, revision, startedAt) => {
      const replica = declared.desired.replicas.get(id);
      const there = attemptsOf(id).filter((known) => releasing.count(known.id) === 0);
      const why = starting.count(id) > 0 ? "it is being started" : whyNotStarted(attempt, replica, revision, there);
      if (why !== undefined || !replica) return why ?? "";
      const image = replica.container && wantedImage(replica.container.confinement);
      if (image && !images.state(image).ready) return "its image is not verified as it is declared";
      const hierarchies = [...(declared.desired.cgroups.get(replica.path)?.hierarchies ?? [])];
      const meta = metaOf(replica, startedAt, oomKills(files, tree, base, replica.path));
      return () => starting.during(id, () => processes.start({ attempt, replica, meta, hierarchies }));
    },
    signal: (attempt, pid, signal) =>
      signalled(signal, (name) =>
        about(attempt, ({ main }) => (main?.pid === pid ? () => processes.signal(attempt, pid, name) : "that is not its main process")),
      ),
    signalAll: (path, signal) => signalled(signal, (name) => (isReplicaPath(path) ? () => processes.signalAll(path, name) : "that is no cgroup of a workload")),
    handle: (attempt, handler, timeout) =>
      about(attempt, (found) => {
        const target = targetOf(found, declared.desired.replicas.get(found.replica));
        if (!target) return "it has no main process";
        const allowed = declared.commands.get(found.meta?.workload ?? "")?.get(handler);
        if (!allowed) return "no manifest declares that command";
        const key = `${attempt} ${handler}`;
        if (commands.count(key) >= allowed.atOnce) return "it is at work already";
        return () => commands.during(key, () => processes.handle(target, JSON.parse(handler) as Handler, Math.min(timeout, allowed.timeout)));
      }),
    kill: (path) => (isReplicaPath(path) ? () => processes.kill(path) : "that is no cgroup of a workload"),
    release: (attempt, holder) =>
      about(attempt, (found) => unless(whyNotReleased(found), () => releasing.during(attempt, () => processes.release(attempt, holder)))),
    // Before there is a main process, the holder is at work.
    hold: (attempt, holder) => about(attempt, ({ main }) => (main ? () => processes.hold(attempt, holder) : "it has no main process")),
    void: (attempt) => about(attempt, ({ holder }) => (holder ? "it has a holder" : () => processes.void(attempt))),
    sweep: () => () => {
      const there = new Set(processes.attempts().map(({ meta }) => meta?.workload));
      declared.forget((workload) => there.has(workload));
      return [...processes.sweep()];
    },
    imageState: (wanted) => withImage(wanted, (image) => () => images.state(image)),
    prepareImage: (wanted) =>
      withImage(wanted, (image) => () => {
        const key = imageKey(image);
        const work = preparing.get(key) ?? images.prepare(image).finally(() => preparing.delete(key));
        preparing.set(key, work);
        return work;
      }),
    images: () => () => images.list(),
    forgiveImages: (wanted) => () => images.forgive(new Set(wanted)),
    removeImage: (key) => {
      if (!images.list().includes(key)) return "there is no such image";
      const wanted = wantedImages(declared.desired).map(imageKey);
      return wanted.includes(key) || processes.sweep().has(key) ? "it is in use" : () => images.remove(key);
    },
    kernelLog: () => {
      const asking = [...declared.desired.replicas.values()].some(({ container }) => container?.confinement.logSeccomp);
      if (!asking) return "no workload asks for it";
      return () => {
        kernelLog ??= host.kernelLog();
        return kernelLog.read().filter((record) => readDenial(record) !== undefined);
      };
    },
  };
  return { table, close: () => kernelLog?.close() };
}
