/** Knows the hooks that were begun: they take their time, and whoever looks later finds how they went. */
import type { CgroupPath } from "../cgroup/path.ts";
import type { TaskState } from "../plan/observed.ts";

/** So many ends of tasks are remembered; each is looked at a moment later. */
const MOST_REMEMBERED = 5000;

export class Tasks {
  private readonly states = new Map<string, TaskState>();
  /** Hears of the cgroup of every task that ends. */
  ended: (path: CgroupPath) => void = () => {};

  readonly state = (key: string): TaskState | undefined => this.states.get(key);

  /** Whether a task whose key begins so is at work. */
  isBusy(prefix: string): boolean {
    return [...this.states].some(([key, state]) => state === "running" && key.startsWith(prefix));
  }

  begin(key: string, path: CgroupPath, work: Promise<Exclude<TaskState, "running">>): void {
    const done = (state: TaskState): void => {
      this.states.set(key, state);
      this.ended(path);
    };
    this.states.set(key, "running");
    work.then(done, (error: unknown) => done({ ok: false, message: (error as Error).message }));
    for (const [old, state] of this.states) {
      if (this.states.size <= MOST_REMEMBERED) break;
      if (state !== "running") this.states.delete(old);
    }
  }
}
