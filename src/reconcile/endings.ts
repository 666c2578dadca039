/** Knows how to find ends that nothing tells of: a main process whose children live on, and any end on cgroup v1 alone. */
import { tellsOfEnds } from "../cgroup/hierarchy.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { endWatch } from "../host/endWatch.ts";
import { isAlive } from "../plan/health.ts";
import type { Engine } from "./engine.ts";

/** Where the kernel tells of ends, only what outlives its main process must be found, ms. */
const SELDOM = 2000;
/** On v1 alone, ms. */
const OFTEN = 250;

export class Endings {
  private readonly engine: Engine;
  private readonly watch: ReturnType<typeof endWatch>;
  private readonly timer: NodeJS.Timeout;

  /** `ended`: the main process of a replica at this path is not running any more. */
  constructor(engine: Engine, ended: (path: CgroupPath) => void) {
    this.engine = engine;
    this.watch = endWatch();
    const period = tellsOfEnds(engine.machine.controllers) ? SELDOM : OFTEN;
    this.timer = setInterval(() => {
      for (const id of this.watch.ended()) {
        const path = engine.host.records.read(id)?.current?.path;
        if (path !== undefined) ended(path as CgroupPath);
      }
    }, period);
  }

  /** Looks after what runs now. */
  sync(): void {
    const { records } = this.engine.host;
    const wanted = new Map<string, number>();
    for (const id of records.list()) {
      const pid = isAlive(records.read(id)) ? this.engine.pidOf(id) : undefined;
      if (pid !== undefined) wanted.set(id, pid);
    }
    this.watch.sync(wanted);
  }

  close(): void {
    clearInterval(this.timer);
    this.watch.sync(new Map());
  }
}
