/** Knows when what the next controller needs is written down: a while after it has changed, once at a time. */

/** At most this often, ms: on a large host it takes a while. */
const [SAVE, SAVE_PER_OBJECT] = [250, 2];

export class Saver {
  private readonly save: () => Promise<void>;
  private readonly warn: (message: string) => void;
  private timer: NodeJS.Timeout | undefined;
  private saving: Promise<void> | undefined;
  /** It is asked for again while it is being written. */
  private again = false;

  constructor(save: () => Promise<void>, warn: (message: string) => void) {
    this.save = save;
    this.warn = warn;
  }

  /** `objects`: how many there are. */
  soon(objects: number): void {
    this.timer ??= setTimeout(() => this.now(), SAVE + SAVE_PER_OBJECT * objects);
  }

  now(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.saving !== undefined) {
      this.again = true;
      return;
    }
    this.again = false;
    this.saving = this.write().then(() => {
      this.saving = undefined;
      if (this.again) this.now();
    });
  }

  /** Once more, and no more after that. */
  async last(): Promise<void> {
    clearTimeout(this.timer);
    for (this.again = false; this.saving !== undefined; this.again = false) await this.saving;
    await this.write();
  }

  private async write(): Promise<void> {
    try {
      await this.save();
    } catch (error) {
      this.warn(`the status file could not be written: ${(error as Error).message}`);
    }
  }
}
