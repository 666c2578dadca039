/** Knows what is written into the cells of tables: ages, limits, usage and states in a few words. */
import { LIMITS, type LimitName } from "../api/limits.ts";
import { formatBytes } from "../api/quantity.ts";
import type { Resource } from "../api/resource.ts";
import type { ObjectStatus, ReplicaStatus } from "../api/status.ts";
import type { Usage } from "../cgroup/usage.ts";
import type { Served } from "./object.ts";

/** `5s`, `3m`, `2h`, `4d` since a time. */
export function ageOf(since: string | undefined, now: number): string {
  if (since === undefined) return "<unknown>";
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

export const statusOf = ({ status }: Served): ObjectStatus => status as ObjectStatus;
export const readyOf = (object: Served) => statusOf(object).conditions.find(({ type }) => type === "Ready") ?? { status: "Unknown", reason: "", message: "" };

/** `cpu.max 20%, memory.max 200Mi` */
export function limitsText(resource: Resource | undefined): string {
  const shown = Object.entries(resource?.limits ?? {}).map(([name, value]) => {
    const { format } = LIMITS[name as LimitName];
    if (typeof value === "string") return `${name} ${format(value)}`;
    return `${name} ${Object.entries(value)
      .map(([device, rates]) => `${device} ${format(rates)}`)
      .join("; ")}`;
  });
  return shown.join(", ") || "-";
}

/** `12.4Mi, 3 pids` */
export function usageText(usage: Usage | undefined): string {
  const { memory, pids } = usage ?? {};
  const shown = [...(memory === undefined ? [] : [shortBytes(memory)]), ...(pids === undefined ? [] : [`${pids} ${pids === 1 ? "pid" : "pids"}`])];
  return shown.join(", ") || "-";
}

/** `12.4Mi`: not the exact number, but one that can be read at a glance. */
export function shortBytes(bytes: number): string {
  const units = ["", "Ki", "Mi", "Gi", "Ti"];
  let [value, unit] = [bytes, 0];
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return unit === 0 ? formatBytes(String(bytes)) : `${value < 10 ? value.toFixed(1) : Math.round(value)}${units[unit]}`;
}

const stateWord = (replica: ReplicaStatus | undefined): string => {
  const { running, waiting, terminated } = replica?.state ?? {};
  return running ? "Running" : (waiting?.reason ?? terminated?.reason ?? "Unknown");
};

export function workloadWord(object: Served): string {
  const { replicas = 0, replicaStatuses = [] } = statusOf(object);
  const { status, reason } = readyOf(object);
  const notReady = replicaStatuses.find((replica) => !replica.ready);
  return replicas === 0 ? "ScaledToZero" : notReady ? stateWord(notReady) : status === "True" ? "Running" : `Running,${reason}`;
}

export function runningSince(object: Served, now: number): string {
  const since = (statusOf(object).replicaStatuses ?? []).flatMap(({ state }) => state.running?.startedAt ?? []).sort()[0];
  return since === undefined ? "-" : ageOf(since, now);
}

export function driftText(object: Served, now: number): string {
  const { drift } = statusOf(object);
  return drift ? `${drift.count} (${ageOf(drift.lastSeen, now)} ago)` : "0";
}

interface PodStatus {
  readonly phase: string;
  readonly containerStatuses: readonly { readonly ready: boolean; readonly restartCount: number; readonly state: ReplicaStatus["state"] }[];
}
export function podStatus({ status }: Served): { ready: boolean; restartCount: number; reason: string } {
  const { phase, containerStatuses } = status as PodStatus;
  const [container] = containerStatuses;
  const { running, waiting, terminated } = container?.state ?? {};
  const reason = running ? phase : (waiting?.reason ?? terminated?.reason ?? phase);
  return { ready: container?.ready ?? false, restartCount: container?.restartCount ?? 0, reason };
}
