/**
 * Knows how the monitor answers a controller of little privilege: it takes one call at a time, asks what the manifests make necessary (permit.ts), and does that alone. A call that it refuses changes
 * nothing; whatever the controller has become, its manifests are the most that it can have.
 */
import { type Answers, answers, type Served, type Work } from "./answers.ts";
import { type Call, errorReply, type Later, parseCall, type Reply } from "./calls.ts";

interface Options extends Served {
  /** Tells the end of a call that takes its time; `told` hears when that has been taken. */
  readonly later: (later: Later, told: () => void) => void;
}

/** So often, and for so long at most (ms), a manifest that is being written is waited for before a call is refused. */
const [PATIENCE, LONGEST_WAIT] = [3, 500];
/** So many calls that take their time may be under way, or wait to be told. */
const MOST_UNDER_WAY = 1000;

export class Monitor {
  private readonly options: Options;
  private readonly answers: { readonly table: Answers; close(): void };
  private count = 0;
  private underWay = 0;

  constructor(options: Options) {
    this.options = options;
    this.answers = answers(options);
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
    const ask = this.answers.table[call] as (...words: unknown[]) => Work | string;
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
    const done = (reply: Reply): void => this.options.later({ later, reply }, () => this.underWay--);
    work.then(
      (ok) => done({ ok }),
      (error) => done(errorReply(error)),
    );
    return { later };
  }

  close(): void {
    this.answers.close();
  }
}
