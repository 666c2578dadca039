/** Knows how to find what nothing tells of main processes: ends (all of them on cgroup v1 alone), and that they or their holders were moved or continued. */
import { tellsOfEnds } from "../cgroup/hierarchy.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { watchProcesses } from "../host/watchProcesses.ts";
import { isAlive } from "../plan/health.ts";
import type { Engine } from "./engine.ts";

/** Between two looks for ends, ms. */
const OFTEN = 250;
/** Where the kernel tells of the end of a last process, only mains that others outlive must be found by looks: twenty a second at the most. */
const PER_PROCESS = 50;

export class Lives {
  private readonly engine: Engine;
  private readonly watch = watchProcesses();
  private readonly perProcess: number;
  private timer: NodeJS.Timeout | undefined;

  private readonly look: (path: CgroupPath) => void;

  /** `look`: something about the replica at this path may be other than it was. */
  constructor(engine: Engine, look: (path: CgroupPath) => void) {
    this.engine = engine;
    this.look = look;
    this.perProcess = tellsOfEnds(engine.machine.controllers) ? PER_PROCESS : 0;
    this.lookForEnds();
  }

  private lookForEnds(): void {
    for (const path of this.pathsOf(this.watch.ended())) this.look(path);
    this.timer = setTimeout(() => this.lookForEnds(), Math.max(OFTEN, this.perProcess * this.watch.size()));
  }

  /** Looks after what runs now. */
  sync(): void {
    const { records } = this.engine.host;
    const wanted = new Map<string, number>();
    for (const id of records.list()) {
      const pid = isAlive(records.read(id)) ? this.engine.seen.pidOf(id) : undefined;
      if (pid !== undefined) wanted.set(id, pid);
    }
    // What happened before it was watched is found by one more look.
    for (const path of this.pathsOf(this.watch.sync(wanted))) this.look(path);
  }

  /** What to look at when nothing has told of anything: replicas that are not as they were, or of which nothing runs. */
  glance(): CgroupPath[] {
    const { desired, host } = this.engine;
    const idle = [...new Set([...desired.replicas.keys(), ...host.records.list()])].filter((id) => !this.watch.watches(id));
    return [...this.pathsOf(this.watch.different()), ...this.pathsOf(idle)];
  }

  close(): void {
    clearTimeout(this.timer);
    this.watch.sync(new Map());
  }

  /** Where replicas are, and are declared to be. */
  private pathsOf(ids: readonly string[]): CgroupPath[] {
    const { desired, host } = this.engine;
    return ids
      .flatMap((id) => [host.records.read(id)?.current?.path as CgroupPath | undefined, desired.replicas.get(id)?.path])
      .filter((path) => path !== undefined);
  }
}
