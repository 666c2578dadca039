/** Knows the limits of the services of a Compose file (compose-spec, "deploy" and "services"), and how each becomes a LimitGroup. */

import { dockerLimits } from "./dockerLimits.ts";
import { draft, type Imported, Names, NotImportable } from "./draft.ts";

/** Fields of a service that are flags of docker run by another name. */
const FIELDS: Readonly<Record<string, string>> = {
  mem_limit: "memory",
  memswap_limit: "memory-swap",
  mem_reservation: "memory-reservation",
  mem_swappiness: "memory-swappiness",
  cpus: "cpus",
  cpu_quota: "cpu-quota",
  cpu_period: "cpu-period",
  cpu_shares: "cpu-shares",
  cpuset: "cpuset-cpus",
  pids_limit: "pids-limit",
};
const RATES: Readonly<Record<string, string>> = {
  device_read_bps: "device-read-bps",
  device_write_bps: "device-write-bps",
  device_read_iops: "device-read-iops",
  device_write_iops: "device-write-iops",
};

/** Other fields that limit or confine, or make more of a service: told, since nothing of them comes out. */
const OTHERS = `blkio_config.weight_device cap_add cap_drop cgroup_parent cpu_count cpu_percent cpu_rt_period cpu_rt_runtime
deploy.replicas deploy.resources.limits.devices deploy.resources.reservations.cpus deploy.resources.reservations.devices device_cgroup_rules extends oom_kill_disable oom_score_adj
privileged read_only scale security_opt shm_size ulimits`.split(/\s+/);

const leftOut = (spec: Mapping): string[] =>
  OTHERS.flatMap((path) => {
    const value = path.split(".").reduce<unknown>((above, name) => mapping(above)[name], spec);
    return value === undefined || value === null ? [] : [`${path} is left out: only limits come out`];
  });

type Mapping = Readonly<Record<string, unknown>>;
const mapping = (value: unknown): Mapping => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Mapping) : {});

/** `value`: the file, parsed. */
export function composeToObjects(value: unknown, file: string): Imported {
  const services = Object.entries(mapping(mapping(value)["services"]));
  if (services.length === 0) throw new NotImportable(`${file}: expected services, found none`);
  const names = new Names();
  const notes: string[] = [];
  const objects = services.flatMap(([service, written]) => {
    const spec = mapping(written);
    const found = leftOut(spec);
    const flags = new Map<string, string[]>();
    const add = (flag: string, one: unknown): void => {
      if (typeof one === "object" && one !== null) found.push(`--${flag}: expected text or a number, found ${JSON.stringify(one)}`);
      else if (one !== undefined && one !== null) flags.set(flag, [...(flags.get(flag) ?? []), String(one)]);
    };
    for (const [field, flag] of Object.entries(FIELDS)) add(flag, spec[field]);
    const blkio = mapping(spec["blkio_config"]);
    add("blkio-weight", blkio["weight"]);
    for (const [field, flag] of Object.entries(RATES))
      for (const entry of Array.isArray(blkio[field]) ? (blkio[field] as unknown[]) : [])
        add(flag, `${mapping(entry)["path"] ?? ""}:${mapping(entry)["rate"] ?? ""}`);
    const resources = mapping(mapping(spec["deploy"])["resources"]);
    const [most, least] = [mapping(resources["limits"]), mapping(resources["reservations"])];
    add("cpus", most["cpus"]);
    add("memory", most["memory"]);
    add("pids-limit", most["pids"]);
    add("memory-reservation", least["memory"]);
    const limits = dockerLimits((flag) => flags.get(flag) ?? [], found);
    notes.push(...found.map((note) => `${file}: ${service}: ${note}`));
    if (Object.keys(limits).length === 0) {
      notes.push(`${file}: ${service} has no limits`);
      return [];
    }
    return [draft("LimitGroup", names.make(service), { limits })];
  });
  return { objects, notes };
}
