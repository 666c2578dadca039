/** Knows the rates of a disk as the kernel's files have them: cgroup v1 has a file for each, in which 0 is no limit; v2 has them all in one. */
import type { IO_RATES } from "../api/limits.ts";

type Rate = (typeof IO_RATES)[number];

const FILES: Readonly<Record<string, Rate>> = {
  "blkio.throttle.read_bps_device": "rbps",
  "blkio.throttle.write_bps_device": "wbps",
  "blkio.throttle.read_iops_device": "riops",
  "blkio.throttle.write_iops_device": "wiops",
};

/** The rates of one disk, each as a number or `max`; undefined: the file has none. */
export function ratesIn(file: string, value: string): readonly (readonly [Rate, string])[] | undefined {
  const rate = FILES[file];
  if (rate !== undefined) return [[rate, value === "0" ? "max" : value]];
  return file === "io.max" ? [...value.matchAll(/([rw](?:bps|iops))=(\w+)/g)].map(([, name = "", text = ""]) => [name as Rate, text]) : undefined;
}
