/** Knows the limits of `docker run` and of Compose services, in Docker's units, and what they come to. */
import { written } from "./draft.ts";
import { limitsOf } from "./kernelValues.ts";

/** b, k, m, g with base 1024 (docker run --help); undefined where it is no size. */
function bytesOf(text: string): bigint | undefined {
  const [, number, unit = "b"] = /^(\d+(?:\.\d+)?)\s*([bkmgtp])?(?:i?b)?$/i.exec(text.trim()) ?? [];
  if (number === undefined) return undefined;
  const shift = "bkmgtp".indexOf(unit.toLowerCase()) * 10;
  return BigInt(Math.round(Number(number) * 2 ** shift));
}

/** `all`: the values that a flag was given, by its name without dashes. */
export function dockerLimits(all: (flag: string) => readonly string[], notes: string[]): Record<string, unknown> {
  const one = (flag: string): string | undefined => all(flag).at(-1);
  const limits: Record<string, unknown> = {};
  const size = (flag: string): bigint | undefined => {
    const text = one(flag);
    const value = text === undefined ? undefined : bytesOf(text);
    if (text !== undefined && value === undefined && text !== "-1") notes.push(`--${flag} ${text} is left out: it is no size`);
    return value;
  };
  const [memory, both, low] = [size("memory"), size("memory-swap"), size("memory-reservation")];
  if (memory !== undefined && memory > 0n) limits["memory.max"] = written("memory.max", String(memory));
  if (low !== undefined && low > 0n) limits["memory.low"] = written("memory.low", String(low));
  // Docker's own rule: as much swap again as memory, where nothing is said.
  if (memory !== undefined && memory > 0n) {
    const swap = one("memory-swap") === "-1" ? "max" : both === undefined || both === 0n ? String(memory) : String(both > memory ? both - memory : 0n);
    limits["memory.swap.max"] = written("memory.swap.max", swap);
  }
  const swappiness = one("memory-swappiness");
  if (swappiness !== undefined && swappiness !== "-1") limits["memory.swappiness"] = Number(swappiness);
  const [cpus, quota, period] = [one("cpus"), one("cpu-quota"), one("cpu-period") ?? "100000"];
  if (cpus !== undefined && Number(cpus) > 0) limits["cpu.max"] = written("cpu.max", `${Math.round(Number(cpus) * 100_000)} 100000`);
  else if (quota !== undefined && Number(quota) > 0) limits["cpu.max"] = written("cpu.max", `${quota} ${period}`);
  const shares = one("cpu-shares");
  if (shares !== undefined && Number(shares) > 0)
    Object.assign(
      limits,
      limitsOf(new Map([["cpu.shares", new Map([["", shares]])]]), (note) => notes.push(note)),
    );
  for (const [flag, name] of [
    ["cpuset-cpus", "cpuset.cpus"],
    ["cpuset-mems", "cpuset.mems"],
  ] as const)
    if (one(flag)) limits[name] = one(flag);
  const pids = one("pids-limit");
  if (pids !== undefined && Number(pids) > 0) limits["pids.max"] = Number(pids);
  const weight = one("blkio-weight");
  if (weight !== undefined && Number(weight) > 0)
    limits["io.weight"] = Number(weight) <= 100 ? Number(weight) : 100 + Math.round(((Number(weight) - 100) * 9900) / 900);
  const disks = new Map<string, Record<string, number>>();
  for (const [flag, rate] of [
    ["device-read-bps", "rbps"],
    ["device-write-bps", "wbps"],
    ["device-read-iops", "riops"],
    ["device-write-iops", "wiops"],
  ] as const) {
    for (const text of all(flag)) {
      const [device = "", value = ""] = [text.slice(0, text.lastIndexOf(":")), text.slice(text.lastIndexOf(":") + 1)];
      const amount = bytesOf(value);
      if (device === "" || amount === undefined) notes.push(`--${flag} ${text} is left out: expected DEVICE:RATE`);
      else disks.set(device, { ...disks.get(device), [rate]: Number(amount) });
    }
  }
  if (disks.size > 0) limits["io.max"] = [...disks].map(([device, rates]) => ({ device, ...rates }));
  return limits;
}
