/** Knows when logs are looked at: the faster one grows, the sooner; what is over its size is rotated. */
import { statSync } from "node:fs";
import type { Logs } from "../api/resource.ts";
import { addMark, layoutOf, noteCut } from "../host/logIndex.ts";
import { logFile } from "../host/logs.ts";
import { isBeingRotated, rotate, settle } from "../host/rotate.ts";
import type { Desired } from "../plan/desired.ts";
import type { Engine } from "./engine.ts";

/** Between two looks at a log, ms. */
const SELDOM = 10_000;
const OFTEN = 50;

interface Kept {
  logs: Logs;
  timer: NodeJS.Timeout | undefined;
  /** As seen last. */
  size: number;
  time: number;
  marked: number;
}

export class LogKeeper {
  private readonly engine: Engine;
  private readonly warn: (message: string) => void;
  private declared: Desired["replicas"] | undefined;
  private readonly kept = new Map<string, Kept>();
  private readonly told = new Set<string>();
  /** Looked at together: a timer for each would wake the controller all the time. */
  private readonly quiet = new Map<string, Kept>();
  private readonly sweep: NodeJS.Timeout;

  constructor(engine: Engine, warn: (message: string) => void) {
    this.engine = engine;
    this.warn = warn;
    this.sweep = setInterval(() => {
      for (const [file, kept] of this.quiet) if (statSync(file, { throwIfNoEntry: false })?.size !== kept.size) void this.look(file, kept);
    }, SELDOM);
  }

  /** Looks after the logs of all that is declared: others only when that changes. */
  sync(): void {
    const { replicas } = this.engine.desired;
    if (replicas === this.declared) return;
    this.declared = replicas;
    const wanted = new Set<string>();
    for (const { resource, ordinal } of replicas.values()) {
      const { logs } = resource.run;
      if (logs.journald) continue;
      const file = logFile(this.engine.host.options.logDirectory, resource.name, ordinal, logs);
      wanted.add(file);
      const known = this.kept.get(file);
      if (known) known.logs = logs;
      else {
        const made: Kept = { logs, timer: undefined, size: 0, time: Date.now(), marked: 0 };
        this.kept.set(file, made);
        this.later(file, made, 1000);
      }
    }
    for (const [file, { timer }] of this.kept) {
      if (wanted.has(file)) continue;
      clearTimeout(timer);
      this.kept.delete(file);
      this.quiet.delete(file);
    }
  }

  close(): void {
    clearInterval(this.sweep);
    for (const { timer } of this.kept.values()) clearTimeout(timer);
    this.kept.clear();
    this.quiet.clear();
  }

  private later(file: string, kept: Kept, delay: number): void {
    if (this.kept.get(file) !== kept) return;
    if (delay >= SELDOM) return void this.quiet.set(file, kept);
    kept.timer = setTimeout(() => void this.look(file, kept), delay);
  }

  private async look(file: string, kept: Kept): Promise<void> {
    this.quiet.delete(file);
    let delay = SELDOM;
    try {
      delay = await this.lookAt(file, kept);
    } catch (error) {
      this.warnOnce(file, `${file} could not be looked after: ${(error as Error).message}`);
    }
    this.later(file, kept, delay);
  }

  /** Tells in how many ms to look again. */
  private async lookAt(file: string, kept: Kept): Promise<number> {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    const now = Date.now();
    const rate = Math.max(0, size - kept.size) / Math.max(1, now - kept.time);
    const [grown, shrunk] = [size !== kept.size, size < kept.size];
    Object.assign(kept, { size, time: now });
    if (!grown) return SELDOM;
    const { maxBytes, maxFiles } = kept.logs;
    if (isBeingRotated(file) || !settle(file, maxFiles)) return OFTEN;
    const layout = layoutOf(file);
    noteCut(file, layout);
    const live = layout.pieces.at(-1);
    const length = live ? live.to - live.from : 0;
    // Of a log that somebody cut, what was noted before is not true any more.
    if (live && (shrunk || now - kept.marked >= SELDOM)) {
      addMark(file, { what: "at", time: now, position: live.to, offset: 0 });
      kept.marked = now;
    }
    if (length <= maxBytes) return rate > 0 ? Math.min(SELDOM, Math.max(OFTEN, (maxBytes - length) / rate / 2)) : SELDOM;
    const rotation = await rotate(file, maxFiles);
    if (rotation === "unsupported")
      this.warnOnce(
        file,
        `${file} is over its maxSize, and its file system can take nothing out of a file that is written to: it is put aside at the next start`,
      );
    Object.assign(kept, { size: statSync(file, { throwIfNoEntry: false })?.size ?? 0, time: Date.now() });
    return rotation === "rotated" ? OFTEN : SELDOM;
  }

  private warnOnce(file: string, message: string): void {
    if (this.told.has(file)) return;
    this.told.add(file);
    this.warn(message);
  }
}
