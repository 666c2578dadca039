/** Knows how to find the disk that a manifest means: a node, a number, or what lies under a directory. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { DeviceFact } from "../cgroup/machine.ts";

/** Linux' encoding of device numbers (makedev(3)), as far as disks need it. */
export const deviceNumber = (device: number) => ({
  major: Math.floor(device / 256) & 0xfff,
  minor: (device & 0xff) | ((Math.floor(device / 2 ** 20) & 0xfff) << 8),
});

function numberOf(device: number): string {
  const { major, minor } = deviceNumber(device);
  return `${major}:${minor}`;
}

/**
 * `/dev/sda`, `8:0` or `path:/srv` to the number of a whole disk. A partition under a path stands for its disk; a
 * partition that somebody names is refused, with the disk's name: the limit would be on more than was asked for.
 */
export function findDevice(name: string): DeviceFact {
  try {
    if (/^\d+:\d+$/.test(name)) return wholeDisk(name, name);
    if (name.startsWith("path:")) return underPath(name.slice("path:".length));
    const stat = statSync(name);
    if (!stat.isBlockDevice())
      return {
        problem: `expected a disk, found ${stat.isDirectory() ? "a directory" : "no block device"} at ${name}`,
        hint: stat.isDirectory() ? `write path:${name} for the disk under it` : `see lsblk`,
      };
    return wholeDisk(numberOf(stat.rdev), name);
  } catch (error) {
    return {
      problem: `expected a disk, found nothing at ${name.replace(/^path:/, "")}`,
      hint: (error as NodeJS.ErrnoException).code === "ENOENT" ? `disks here: ${diskNames().join(", ") || "none"}` : String(error),
    };
  }
}

function diskNames(): string[] {
  return readdirSync("/sys/block")
    .filter((name) => !/^(loop|ram|zram)/.test(name))
    .map((name) => `/dev/${name.replaceAll("!", "/")}`);
}

function wholeDisk(number: string, name: string): DeviceFact {
  const sys = sysDirectory(number);
  if (sys === undefined) return { problem: `expected a disk, found no block device ${number}`, hint: `disks here: ${diskNames().join(", ") || "none"}` };
  const disk = diskOf(sys);
  if (disk === sys) return { number };
  return { problem: `${name} is a partition, and the kernel limits whole disks`, hint: `write /dev/${basename(disk)}` };
}

function underPath(path: string): DeviceFact {
  let device = numberOf(statSync(path).dev);
  let sys = sysDirectory(device);
  if (sys === undefined) {
    // btrfs, overlay and others have device numbers of their own; mountinfo names the node that they are on.
    const source = mountSource(path);
    if (source === undefined) return { problem: `expected a disk under ${path}, found a file system without one`, hint: "name the disk itself" };
    device = numberOf(statSync(source).rdev);
    sys = sysDirectory(device);
  }
  if (sys === undefined) return { problem: `expected a disk under ${path}, found device ${device}`, hint: "name the disk itself" };
  return { number: readFileSync(`${diskOf(sys)}/dev`, "utf8").trim() };
}

function mountSource(path: string): string | undefined {
  let best: { point: string; source: string } | undefined;
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const point = left.split(" ")[4] ?? "";
    const source = right.split(" ")[1] ?? "";
    const covers = path === point || path.startsWith(point === "/" ? "/" : `${point}/`);
    if (covers && (!best || point.length >= best.point.length)) best = { point, source };
  }
  return best?.source.startsWith("/dev/") ? best.source : undefined;
}

function sysDirectory(number: string): string | undefined {
  try {
    return `/sys/dev/block/${readlinkSync(`/sys/dev/block/${number}`)}`;
  } catch {
    return undefined;
  }
}

/** A partition's directory in sysfs has a file `partition` and lies inside its disk's. */
function diskOf(sys: string): string {
  try {
    lstatSync(`${sys}/partition`);
    return dirname(sys);
  } catch {
    return sys;
  }
}
