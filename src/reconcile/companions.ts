/** Knows who works beside the loop: probes, ends that nothing tells of, hooks, logs, files beside the manifests. Each only gives hints. */
import type { Machine } from "../cgroup/machine.ts";
import { type CgroupPath, isForeign } from "../cgroup/path.ts";
import { imageKey } from "../host/images.ts";
import { requestFolders } from "../host/requests.ts";
import { watchFiles } from "../host/watchFiles.ts";
import { wantedImages } from "../plan/image.ts";
import { denials } from "./denials.ts";
import type { Engine } from "./engine.ts";
import { Lives } from "./lives.ts";
import { LogKeeper } from "./logKeeper.ts";
import { MemberWatch } from "./memberWatch.ts";
import { Prober } from "./prober.ts";

/** The directories of requests are looked for again so often at the most, ms: nobody removes them but by mistake. */
const FOLDERS = 1000;

export interface Companion {
  /** After every pass: looks after what there is now. */
  sync(): void;
  close(): void;
}

interface Hints {
  readonly look: (path: CgroupPath) => void;
  /** That cgroup may be another one of its name. */
  readonly lookAfresh: (path: CgroupPath) => void;
  readonly factsChanged: () => void;
  readonly warn: (message: string) => void;
}

export function companionsOf(
  engine: Engine,
  { look, lookAfresh, factsChanged, warn }: Hints,
): { readonly all: readonly Companion[]; readonly lives: Lives; readonly members: MemberWatch } {
  const { tasks, options } = engine.host;
  tasks.ended = look;
  const prober = new Prober({ host: engine.host, desired: () => engine.desired, targetOf: (id) => engine.seen.targetOf(id), changed: look });
  engine.findings = prober.findings;
  const lives = new Lives(engine, look);
  const members = new MemberWatch(engine, look);
  return {
    all: [
      prober,
      lives,
      members,
      new LogKeeper(engine, warn),
      starts(engine),
      tidy(engine, warn),
      denials(engine, warn),
      filesBeside(engine, factsChanged),
      requests(options.runDirectory, factsChanged),
      othersCgroups(engine, factsChanged, lookAfresh),
    ],
    lives,
    members,
  };
}

/** Where there is anything to start, the next start is prepared. */
function starts(engine: Engine): Companion {
  const { processes } = engine.host;
  return { sync: () => processes.prepare(engine.desired.replicas.size > 0), close: () => processes.prepare(false) };
}

/** Between two looks for what nobody needs any more, ms. */
const TIDY = 5000;

/** Removes what ended containers left, and images that nothing declares or runs from. */
function tidy(engine: Engine, warn: (message: string) => void): Companion {
  const { images, processes } = engine.host;
  let timer: NodeJS.Timeout | undefined;
  images.clean().catch(() => {});
  const look = (): void => {
    timer = undefined;
    try {
      clear();
    } catch (error) {
      // Nothing depends on it: the next look does what this one has left.
      warn(`what nobody needs any more stays for now: ${(error as Error).message}`);
    }
  };
  const clear = (): void => {
    const used = processes.sweep();
    const wanted = new Set(wantedImages(engine.desired).map(imageKey));
    // While manifests are broken, what is not declared may be declared yet.
    if (engine.desired.held) return;
    for (const key of images.list()) if (!used.has(key) && !wanted.has(key)) images.remove(key).catch(() => {});
    images.forgive(wanted);
  };
  return { sync: () => (timer ??= setTimeout(look, TIDY)), close: () => clearTimeout(timer) };
}

/** Files that manifests mention, whose content is part of what is declared. */
function filesBeside(engine: Engine, changed: () => void): Companion {
  const watch = watchFiles(changed);
  const files = ({ envFiles, confinement }: Machine): string[] => [...envFiles.keys(), ...Object.keys(confinement?.seccompProfiles ?? {})];
  return { sync: () => watch.sync(new Set(files(engine.machine))), close: () => watch.close() };
}

/** Governed cgroups come and go with what they are for. */
function othersCgroups(engine: Engine, factsChanged: () => void, lookAfresh: (path: CgroupPath) => void): Companion {
  const changed = (): void => {
    for (const path of engine.desired.cgroups.keys()) if (isForeign(path)) lookAfresh(path);
    factsChanged();
  };
  const watch = watchFiles(changed, 0, true);
  let known: Machine | undefined;
  const sync = (): void => {
    if (engine.machine === known) return;
    known = engine.machine;
    const looked = [...engine.machine.governed.values()].flatMap((found) => found.looked);
    watch.sync(new Set(looked.map((directory) => `${directory}/*`)));
  };
  return { sync, close: () => watch.close() };
}

/** Requests are written in one piece: nothing needs to calm down. */
function requests(runDirectory: string, changed: () => void): Companion {
  const watch = watchFiles(changed, 0);
  let next = 0;
  const sync = (): void => {
    if (performance.now() < next) return;
    next = performance.now() + FOLDERS;
    watch.sync(new Set(requestFolders(runDirectory).map((folder) => `${folder}/*`)));
  };
  return { sync, close: () => watch.close() };
}
