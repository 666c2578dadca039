/** Knows how calls that a seccomp profile did not allow become events of the workload that made them. */
import type { KernelLog } from "../host/kernelLog.ts";
import { replicaOfProcess } from "../host/procfs.ts";
import { type Denial, readDenial } from "../oci/denial.ts";
import type { Companion } from "./companions.ts";
import type { Engine } from "./engine.ts";

/** Between two looks, ms: a process should still be there when its record is read. */
const OFTEN = 200;
/** The same call of the same program is told again after, ms. */
const AGAIN = 60_000;

/** At work only while a workload asks for it (`seccompProfile: {log: true}`). */
export function denials(engine: Engine, warn: (message: string) => void): Companion {
  const told = new Map<string, number>();
  let log: KernelLog | undefined;
  let timer: NodeJS.Timeout | undefined;
  let complained = false;
  // What a workload did before anybody listened is told too, if it was started by this controller.
  let since = Date.now();
  const asking = (): string[] => [...engine.desired.replicas.values()].filter(({ container }) => container?.confinement.logSeccomp).map(({ id }) => id);
  const tell = ({ pid, program, call }: Denial): void => {
    // A process that has ended meanwhile can only be that of the one workload that asks.
    const [only, ...others] = new Set(asking().map((id) => id.slice(0, id.lastIndexOf("@"))));
    const replica = replicaOfProcess(pid, engine.host.tree.root) ?? (others.length === 0 ? only : undefined);
    if (replica === undefined) return;
    const key = `${replica} ${program} ${call}`;
    const now = Date.now();
    if (now - (told.get(key) ?? 0) < AGAIN) return;
    told.set(key, now);
    engine.tell({
      type: "Warning",
      reason: "SeccompDenied",
      object: `Workload/${replica.replace(/@\d+$/, "")}`,
      note: `${replica}: ${call} was denied to ${program} (process ${pid})`,
    });
  };
  const look = (): void => {
    for (const record of log?.read() ?? []) {
      const denial = readDenial(record);
      if (denial) tell(denial);
    }
    for (const [key, time] of told) if (Date.now() - time > AGAIN) told.delete(key);
  };
  const stop = (): void => {
    clearInterval(timer);
    if (log) since = Date.now();
    log?.close();
    log = undefined;
  };
  return {
    sync: () => {
      if (asking().length === 0) return stop();
      if (log || complained) return;
      try {
        log = engine.host.kernelLog(since);
        timer = setInterval(look, OFTEN);
      } catch (error) {
        complained = true;
        warn(`denied system calls cannot be told: /dev/kmsg: ${(error as Error).message}`);
      }
    },
    close: stop,
  };
}
