/** Knows the resource settings of systemd units (systemd.resource-control(5)), and how they become a LimitGroup that governs the unit. */
import type { LimitName } from "../api/limits.ts";
import { draft, type Imported, Names, NotImportable, written } from "./draft.ts";

const SECTIONS = new Set(["Service", "Scope", "Slice", "Socket", "Mount", "Swap"]);

/** K, M, G, T with a base: 1024 for sizes, 1000 for rates (systemd.syntax(7)). */
function size(text: string, base: bigint): string | undefined {
  if (text === "infinity") return "max";
  const [, number, fraction = "", unit = ""] = /^(\d+)(\.\d+)?\s*([KMGTPE]?)B?$/.exec(text) ?? [];
  const one = base ** BigInt(" KMGTPE".indexOf(unit || " "));
  return number === undefined ? undefined : String(BigInt(number) * one + BigInt(Math.floor(Number(`0${fraction}`) * Number(one))));
}

const BYTES: Readonly<Record<string, LimitName>> = {
  MemoryMax: "memory.max",
  MemoryLimit: "memory.max",
  MemoryHigh: "memory.high",
  MemoryLow: "memory.low",
  MemoryMin: "memory.min",
  MemorySwapMax: "memory.swap.max",
};
const PLAIN: Readonly<Record<string, LimitName>> = { CPUWeight: "cpu.weight", IOWeight: "io.weight" };
const LISTS: Readonly<Record<string, LimitName>> = { AllowedCPUs: "cpuset.cpus", AllowedMemoryNodes: "cpuset.mems" };
const RATES: Readonly<Record<string, string>> = { IOReadBandwidthMax: "rbps", IOWriteBandwidthMax: "wbps", IOReadIOPSMax: "riops", IOWriteIOPSMax: "wiops" };
/** Other settings of the same chapter, which are told. */
const RESOURCE = /^(CPU|Memory|Tasks|IO|Allowed|Startup|Device|IPAddress|BlockIO|ManagedOOM|Delegate|DisableControllers|Socket(Bind|Interfaces))/;

/** Where a unit's cgroup is: a slice is inside of the slices that its dashes say. */
function cgroupOf(unit: string, slice: string): string {
  const slices = (name: string): string => {
    const stem = name.replace(/\.slice$/, "");
    return stem === "-"
      ? ""
      : stem
          .split("-")
          .map((_, index, parts) => `${parts.slice(0, index + 1).join("-")}.slice`)
          .join("/");
  };
  return unit.endsWith(".slice") ? slices(unit) : [slices(slice), unit].filter(Boolean).join("/");
}

/** `texts`: the unit's file, and its drop-ins behind it. Throws NotImportable where one is no unit file. */
export function unitToObjects(unit: string, texts: readonly { readonly file: string; readonly text: string }[]): Imported {
  const notes: string[] = [];
  const limits: Record<string, unknown> = {};
  const disks = new Map<string, Record<string, unknown>>();
  let [quota, period, slice] = ["max", "100000", "system.slice"];
  for (const { file, text } of texts) {
    let section = "";
    let begun = "";
    for (const [index, raw] of text.split("\n").entries()) {
      // A comment between the parts of a line is none of them, and a backslash at the end says that the next line goes on (systemd.syntax(7)).
      if (begun !== "" && /^\s*[#;]/.test(raw)) continue;
      if (raw.endsWith("\\")) {
        begun += `${raw.slice(0, -1)} `;
        continue;
      }
      const line = `${begun}${raw}`.trim();
      begun = "";
      const place = `${file}:${index + 1}`;
      if (line === "" || /^[#;]/.test(line)) continue;
      if (/^\[.*\]$/.test(line)) {
        section = line.slice(1, -1);
        continue;
      }
      const equals = line.indexOf("=");
      if (equals < 0 || section === "") throw new NotImportable(`${place}: expected a section, or NAME=VALUE in one, found ${line}`);
      const [key, value] = [line.slice(0, equals).trim(), line.slice(equals + 1).trim()];
      if (!SECTIONS.has(section)) continue;
      const leaveOut = (why: string): void => void notes.push(`${place}: ${key}=${value} is left out: ${why}`);
      const bytes = BYTES[key];
      if (key === "Slice") slice = value;
      else if (value === "" && (bytes !== undefined || [PLAIN, LISTS].some((names) => key in names) || key === "TasksMax"))
        delete limits[bytes ?? PLAIN[key] ?? LISTS[key] ?? "pids.max"]; // an empty value takes back what was said before
      else if (value === "" && RATES[key] !== undefined) for (const [device, { [RATES[key] ?? ""]: _, ...rest }] of disks) disks.set(device, rest);
      else if (key === "CPUQuota" && value !== "" && !/^\d+(\.\d+)?%$/.test(value)) leaveOut("expected a number with %");
      else if (key === "CPUQuota") quota = value === "" ? "max" : String(Math.round((Number.parseFloat(value) / 100) * 100_000));
      else if (key === "CPUQuotaPeriodSec") {
        const [, amount, unitOf = "s"] = /^([\d.]+)\s*(us|ms|s)?$/.exec(value) ?? [];
        if (amount === undefined) leaveOut("it is no plain duration");
        else period = String(Math.round(Number(amount) * ({ us: 1, ms: 1000, s: 1_000_000 }[unitOf] ?? 1)));
      } else if (key === "CPUWeight" && value === "idle") limits["cpu.idle"] = true;
      else if (bytes !== undefined || key === "TasksMax") {
        const amount = size(value, 1024n);
        if (amount === undefined) leaveOut(value.endsWith("%") ? "a share of what the machine has depends on the machine" : "it is no size");
        else limits[bytes ?? "pids.max"] = written(bytes ?? "pids.max", amount);
      } else if (PLAIN[key] !== undefined && !/^\d+$/.test(value)) leaveOut("it is no number");
      else if (PLAIN[key] !== undefined) limits[PLAIN[key] ?? ""] = Number(value);
      else if (LISTS[key] !== undefined) limits[LISTS[key] ?? ""] = value.split(/[\s,]+/).join(",");
      else if (RATES[key] !== undefined) {
        const [device = "", rate = ""] = value.split(/\s+/);
        const amount = size(rate, 1000n);
        if (amount === undefined || device === "") leaveOut("it is no device with a rate");
        else disks.set(device, { ...disks.get(device), [RATES[key] ?? ""]: amount === "max" ? amount : Number(amount) });
      } else if (key === "CPUShares") leaveOut("write CPUWeight, or cpu.weight by hand");
      else if (RESOURCE.test(key) && !/Accounting$/.test(key)) leaveOut("Holdfast has no such limit");
    }
  }
  if (/@\.[a-z]+$/.test(unit))
    throw new NotImportable(`${unit} is a template, which has no cgroup: name one of its instances (ln -s ${unit} ${unit.replace("@", "@NAME")})`);
  if (unit === "-.slice") throw new NotImportable("-.slice is the root cgroup, which is never governed");
  if (!/\.(service|scope|slice|socket|mount|swap)$/.test(unit))
    throw new NotImportable(`${unit}: expected the file of a service, scope, slice, socket, mount or swap first, and its drop-ins behind it`);
  if (quota !== "max") {
    const scaled = Math.round((Number(quota) * Number(period)) / 100_000);
    limits["cpu.max"] = written("cpu.max", `${scaled} ${period}`);
  }
  const rates = [...disks].filter(([, each]) => Object.keys(each).length > 0);
  if (rates.length > 0) limits["io.max"] = rates.map(([device, each]) => ({ device: device.startsWith("/dev/") ? device : `path:${device}`, ...each }));
  if (Object.keys(limits).length === 0) notes.push(`${unit} has no limits`);
  const object = draft("LimitGroup", new Names().make(unit), { cgroupPath: cgroupOf(unit, slice), limits });
  return { objects: [object], notes };
}
