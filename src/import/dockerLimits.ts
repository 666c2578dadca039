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
  /** A positive number; 0 and -1 are Docker's words for none. */
  const number = (flag: string): number | undefined => {
    const text = one(flag);
    if (text === undefined || text === "0" || text === "-1") return undefined;
    if (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text);
    notes.push(`--${flag} ${text} is left out: it is no number`);
    return undefined;
  };
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
  if (swappiness !== undefined && /^\d+$/.test(swappiness)) limits["memory.swappiness"] = Number(swappiness);
  else if (swappiness !== undefined && swappiness !== "-1") notes.push(`--memory-swappiness ${swappiness} is left out: it is no number`);
  const [cpus, quota, period] = [number("cpus"), number("cpu-quota"), number("cpu-period")];
  if (cpus !== undefined) limits["cpu.max"] = written("cpu.max", `${Math.round(cpus * 100_000)} 100000`);
  else if (quota !== undefined) limits["cpu.max"] = written("cpu.max", `${Math.round(quota)} ${period ?? 100_000}`);
  if (cpus !== undefined && (quota !== undefined || period !== undefined))
    notes.push("--cpu-quota and --cpu-period are left out beside --cpus: Docker refuses them together");
  else if (quota === undefined && period !== undefined) notes.push(`--cpu-period ${period} is left out: without --cpu-quota it limits nothing`);
  if (both !== undefined && memory === undefined) notes.push(`--memory-swap ${one("memory-swap")} is left out: it means something only beside --memory`);
  if (both !== undefined && both > 0n && memory !== undefined && both < memory)
    notes.push(`--memory-swap ${one("memory-swap")} is less than --memory, which Docker refuses: swap is 0 here`);
  const shares = number("cpu-shares");
  if (shares !== undefined)
    Object.assign(
      limits,
      limitsOf(new Map([["cpu.shares", new Map([["", String(shares)]])]]), (note) => notes.push(note)),
    );
  for (const [flag, name] of [
    ["cpuset-cpus", "cpuset.cpus"],
    ["cpuset-mems", "cpuset.mems"],
  ] as const)
    if (one(flag)) limits[name] = one(flag);
  const pids = number("pids-limit");
  if (pids !== undefined) limits["pids.max"] = pids;
  const weight = number("blkio-weight");
  if (weight !== undefined) limits["io.weight"] = weight <= 100 ? weight : 100 + Math.round(((weight - 100) * 9900) / 900);
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
      if (amount === 0n) continue; // no limit
      if (device === "" || amount === undefined) notes.push(`--${flag} ${text} is left out: expected DEVICE:RATE`);
      else disks.set(device, { ...disks.get(device), [rate]: Number(amount) });
    }
  }
  if (disks.size > 0) limits["io.max"] = [...disks].map(([device, rates]) => ({ device, ...rates }));
  return limits;
}
