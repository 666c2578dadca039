/** Knows how to stay calm when somebody keeps writing: the first repairs are immediate, a storm is answered in bundles. */

/** Repairs of one cgroup within a second before it is slowed down. */
const CALM = 20;
/** Then its changes are looked at this often, ms. */
const SLOW = 20;

export class Pace {
  private readonly repairs = new Map<string, { second: number; count: number }>();

  /** Notes a repair at a time in ms. */
  repaired(path: string, now: number): void {
    const second = Math.floor(now / 1000);
    const known = this.repairs.get(path);
    this.repairs.set(path, { second, count: known?.second === second ? known.count + 1 : 1 });
    if (this.repairs.size > 1000) for (const [old, entry] of this.repairs) if (entry.second < second - 1) this.repairs.delete(old);
  }

  /** How long to wait before the cgroup is looked at again, ms. */
  wait(path: string, now: number): number {
    const known = this.repairs.get(path);
    return known && known.count > CALM && known.second >= Math.floor(now / 1000) - 1 ? SLOW : 0;
  }
}
