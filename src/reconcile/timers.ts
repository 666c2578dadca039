/** Knows what is to be done at which time. */

/** Longest delay that setTimeout takes, ms. */
const LONGEST = 2 ** 31 - 1;

export class Timers {
  private readonly pending = new Map<string, { due: number; timer: NodeJS.Timeout }>();
  private stopped = false;

  /** Runs something at a time (ms since the epoch); of several of one name the earliest counts. */
  at(name: string, due: number, run: () => void): void {
    const known = this.pending.get(name);
    if (this.stopped || (known && known.due <= due)) return;
    clearTimeout(known?.timer);
    const timer = setTimeout(
      () => {
        this.pending.delete(name);
        run();
      },
      Math.min(Math.max(0, due - Date.now()), LONGEST),
    );
    this.pending.set(name, { due, timer });
  }

  every(name: string, period: number, run: () => void): void {
    this.at(name, Date.now() + period, () => {
      this.every(name, period, run);
      run();
    });
  }

  stop(): void {
    this.stopped = true;
    for (const { timer } of this.pending.values()) clearTimeout(timer);
  }
}
