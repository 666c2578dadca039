/** Knows when to look at workloads with probes, and what the looks have said: kubelet's rules, one worker for each attempt. */
import type { Probe, RunSpec } from "../api/resource.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { Host } from "../host/host.ts";
import type { Target } from "../plan/action.ts";
import type { Desired, DesiredReplica } from "../plan/desired.ts";
import { begun, type Findings, healthOf, isAlive } from "../plan/health.ts";
import type { ReplicaRecord } from "../plan/observed.ts";
import { afterLook, unknown, type Verdict } from "../plan/probe.ts";

type Which = keyof RunSpec["probes"];

interface Options {
  readonly host: Host;
  readonly desired: () => Desired;
  /** What to ask of a replica, as it was seen last. */
  readonly targetOf: (replica: string) => Target | undefined;
  /** Something is to be decided about this cgroup. */
  readonly changed: (path: CgroupPath) => void;
}

export class Prober {
  /** By replica. */
  readonly findings = new Map<string, Findings>();
  private readonly workers = new Map<string, Worker>();
  private readonly options: Options;
  private readonly began = Date.now();

  constructor(options: Options) {
    this.options = options;
  }

  /** Looks after what runs now, and nothing else. */
  sync(): void {
    const { host, desired } = this.options;
    const wanted = new Set<string>();
    for (const replica of desired().replicas.values()) {
      const record = host.records.read(replica.id);
      const current = record?.current;
      if (!current?.probes || !this.isDue(replica, record)) continue;
      wanted.add(replica.id);
      const known = this.workers.get(replica.id);
      if (known?.attempt === current.attempt) known.probes = current.probes;
      else this.begin(replica.id, record, current.probes);
    }
    for (const id of [...this.workers.keys()]) if (!wanted.has(id)) this.end(id);
  }

  close(): void {
    for (const id of [...this.workers.keys()]) this.end(id);
  }

  /** What is frozen cannot answer; what is still being set up, or on its way out, need not. */
  private isDue({ path }: DesiredReplica, record: ReplicaRecord | undefined): record is ReplicaRecord {
    if (!record?.current || !isAlive(record) || begun(record, record.current.attempt)) return false;
    return healthOf(record)?.hooked === true && this.options.desired().cgroups.get(path)?.frozen !== true;
  }

  private begin(id: string, record: ReplicaRecord, probes: RunSpec["probes"]): void {
    this.end(id);
    const { attempt = "", path = "", startedAt = "" } = record.current ?? {};
    const worker = new Worker({
      attempt,
      probes,
      startedAt: Date.parse(startedAt),
      isOld: Date.parse(startedAt) < this.began,
      before: healthOf(record) ?? { started: false, ready: false },
      look: async (probe) => {
        const target = this.options.targetOf(id);
        if (target?.attempt !== attempt) return undefined;
        const result = await this.options.host.processes.handle(target, probe.handler, probe.timeoutSeconds * 1000);
        if (!result.ok && result.unasked) return undefined;
        // If that was for want of memory, it is to be known that its main process has outlived it.
        if (!result.ok && result.killed) this.options.changed(path as CgroupPath);
        return result;
      },
      found: (findings) => {
        this.findings.set(id, findings);
        this.options.changed(path as CgroupPath);
      },
    });
    this.workers.set(id, worker);
    worker.start();
  }

  private end(id: string): void {
    this.workers.get(id)?.stop();
    this.workers.delete(id);
    this.findings.delete(id);
  }
}

interface Work {
  readonly attempt: string;
  readonly probes: RunSpec["probes"];
  /** ms since the epoch. */
  readonly startedAt: number;
  /** It was there before this controller. */
  readonly isOld: boolean;
  readonly before: { readonly started: boolean; readonly ready: boolean };
  /** Undefined: there is nothing to ask at the moment. */
  readonly look: (probe: Probe) => Promise<{ readonly ok: boolean; readonly message?: string } | undefined>;
  readonly found: (findings: Findings) => void;
}

/** The probes of one attempt. */
class Worker {
  readonly attempt: string;
  probes: RunSpec["probes"];
  private readonly work: Work;
  private readonly verdicts = new Map<Which, Verdict>();
  private readonly complaints = new Map<Which, string>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private stopped = false;

  constructor(work: Work) {
    this.work = work;
    this.attempt = work.attempt;
    this.probes = work.probes;
    this.verdicts.set("startup", unknown(work.before.started || !work.probes.startup));
    this.verdicts.set("liveness", unknown(true));
    this.verdicts.set("readiness", unknown(work.before.ready || !work.probes.readiness));
  }

  start(): void {
    if (this.verdicts.get("startup")?.good) this.started();
    else this.next("startup", this.firstDelay("startup"));
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) clearTimeout(timer);
  }

  private started(): void {
    for (const which of ["liveness", "readiness"] as const) if (this.probes[which]) this.next(which, this.firstDelay(which));
  }

  /** What was there before this controller is not asked all at once. */
  private firstDelay(which: Which): number {
    const { initialDelaySeconds = 0, periodSeconds = 0 } = this.probes[which] ?? {};
    const due = this.work.startedAt + initialDelaySeconds * 1000 - Date.now();
    return this.work.isOld && due < 0 ? Math.random() * periodSeconds * 1000 : Math.max(0, due);
  }

  private next(which: Which, delay: number): void {
    if (this.stopped) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      void this.look(which);
    }, delay);
    this.timers.add(timer);
  }

  private async look(which: Which): Promise<void> {
    const probe = this.probes[which];
    if (!probe) return this.next(which, 1000); // taken out of the manifest: it may come back
    const began = Date.now();
    const result = await this.work.look(probe);
    if (this.stopped) return;
    if (!result) return this.next(which, probe.periodSeconds * 1000);
    const { ok, message = "" } = result;
    const verdict = afterLook(this.verdicts.get(which) ?? unknown(true), probe, ok);
    this.verdicts.set(which, verdict);
    if (ok) this.complaints.delete(which);
    else if (!this.complaints.has(which)) this.complaints.set(which, `${which} probe failed: ${message}`);
    const failed = !ok && verdict.decided && which !== "readiness" ? { probe: which, message, grace: graceOf(probe) } : undefined;
    this.tell(failed);
    if (failed) return this.stop();
    if (which === "startup" && verdict.good) this.started();
    else this.next(which, Math.max(0, began + probe.periodSeconds * 1000 - Date.now()));
  }

  private told = "";

  private tell(failed: Findings["failed"]): void {
    const [complaint] = this.complaints.values();
    const [started, ready] = (["startup", "readiness"] as const).map((which) => this.verdicts.get(which)?.good ?? false);
    const findings = {
      attempt: this.attempt,
      started: started === true,
      ready: ready === true,
      ...(failed ? { failed } : {}),
      ...(complaint ? { complaint } : {}),
    };
    const text = JSON.stringify(findings);
    if (text !== this.told) this.work.found(findings);
    this.told = text;
  }
}

const graceOf = ({ gracePeriodSeconds }: Probe): number | undefined => (gracePeriodSeconds === undefined ? undefined : gracePeriodSeconds * 1000);
