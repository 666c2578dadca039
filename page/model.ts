/** Knows what the server tells the page, and how its numbers are read by people. */

export interface Summary {
  readonly key: string;
  readonly kind: "LimitGroup" | "Workload";
  readonly name: string;
  readonly parent: string | null;
  readonly cgroup: string;
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
  readonly state: string;
  readonly replicas: string | null;
  readonly restarts: number;
  readonly drift: number;
  readonly lastDrift: string | null;
  /** CPUs, bytes, processes; null: no limit. */
  readonly limits: { readonly cpu: number | null; readonly memory: number | null; readonly pids: number | null };
}

export interface Happened {
  readonly eventTime: string;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly object: string;
  readonly note: string;
  readonly source?: string;
}

export interface State {
  readonly node: string;
  readonly root: string;
  readonly version: string;
  readonly objects: readonly Summary[];
  readonly events: readonly Happened[];
  /** The last minutes of each object. */
  readonly lines: readonly (readonly [key: string, points: readonly Numbers[]])[];
}

/** Time, CPUs, bytes, processes, bytes read and written per second, share throttled. */
type Numbers = readonly [number, number, number, number, number, number, number];

export type UsageLine = readonly [key: string, ...Numbers];

export interface Point {
  readonly time: number;
  readonly cpu: number;
  readonly memory: number;
  readonly pids: number;
  readonly read: number;
  readonly write: number;
  readonly throttled: number;
}

export interface Detail {
  readonly key: string;
  readonly metadata: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string>; readonly generation?: number };
  readonly status: {
    readonly cgroup: string;
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly lastTransitionTime: string;
    }[];
    readonly drift?: {
      readonly fields?: readonly {
        readonly field: string;
        readonly observed: string;
        readonly desired: string;
        readonly count: number;
        readonly lastSeen: string;
        readonly source?: string;
      }[];
    };
    readonly replicaStatuses?: readonly {
      readonly name: string;
      readonly ready: boolean;
      readonly restartCount: number;
      readonly state: Record<string, Record<string, unknown>>;
    }[];
    readonly members?: { readonly expected: readonly { readonly pid: number; readonly command: string }[]; readonly expectedCount: number };
  };
  readonly limits: readonly { readonly knob: string; readonly declared: string; readonly asDeclared: boolean | null; readonly source: string }[];
  readonly inherited: readonly { readonly group: string; readonly limits: string; readonly source: string }[];
  readonly source: string;
  readonly manifest: string;
  readonly usage: Readonly<Record<string, number>>;
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [rest, unit] = [value, 0];
  for (; rest >= 1024 && unit < units.length - 1; unit++) rest /= 1024;
  return `${rest < 10 && unit > 0 ? rest.toFixed(1) : Math.round(rest)} ${units[unit]}`;
}

export const percent = (share: number): string => `${share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`;

export const pointOf = ([time, cpu, memory, pids, read, write, throttled]: Numbers): Point => ({ time, cpu, memory, pids, read, write, throttled });
