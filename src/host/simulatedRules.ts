/** Knows the kernel's rules between values, so that a simulated host refuses what a real one refuses (kernel documentation, cgroup-v1). */
import { dirname } from "node:path";

type Read = (file: string) => string | undefined;
type Children = (directory: string) => readonly string[];

const amount = (text: string | undefined): number => (text === undefined || text === "max" || text.startsWith("-") ? Number.POSITIVE_INFINITY : Number(text));
const members = (text: string | undefined): number[] =>
  (text ?? "")
    .split(",")
    .filter(Boolean)
    .flatMap((part) => {
      const [first = 0, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
const within = (inner: string | undefined, outer: string | undefined): boolean => {
  const all = new Set(members(outer));
  return members(inner).every((member) => all.has(member));
};

/** The errno with which a kernel refuses the write, or undefined. */
export function breaksRule(version: 1 | 2, directory: string, name: string, text: string, read: Read, children: Children, mount: string): string | undefined {
  const at = (file: string, where = directory): string | undefined => (file === name && where === directory ? text.trim() : read(`${where}/${file}`));
  const top = dirname(directory) === mount;
  if (version === 2) {
    if (name === "cpu.max" || name === "cpu.max.burst") return amount(at("cpu.max.burst")) > amount(at("cpu.max")?.split(" ")[0]) ? "EINVAL" : undefined;
    return /^cpu\.weight$/.test(name) && at("cpu.idle") === "1" ? "EINVAL" : undefined;
  }
  if (name.startsWith("memory.")) return amount(at("memory.limit_in_bytes")) > amount(at("memory.memsw.limit_in_bytes")) ? "EINVAL" : undefined;
  if (name.startsWith("cpu.cfs_")) {
    if (amount(at("cpu.cfs_burst_us")) > amount(at("cpu.cfs_quota_us"))) return "EINVAL";
    const ratio = (where: string): number => amount(at("cpu.cfs_quota_us", where)) / Number(at("cpu.cfs_period_us", where));
    // An unlimited group takes its parent's ratio: the nearest limit above, and all limits below, must agree.
    let above = dirname(directory);
    while (above.length > mount.length && ratio(above) === Number.POSITIVE_INFINITY) above = dirname(above);
    const mine = ratio(directory);
    const limit = above.length > mount.length ? ratio(above) : Number.POSITIVE_INFINITY;
    const effective = Math.min(mine, limit);
    if (mine !== Number.POSITIVE_INFINITY && mine > limit) return "EINVAL";
    const tooMuchBelow = (where: string): boolean =>
      children(where).some((child) =>
        ratio(`${where}/${child}`) === Number.POSITIVE_INFINITY ? tooMuchBelow(`${where}/${child}`) : ratio(`${where}/${child}`) > effective,
      );
    return tooMuchBelow(directory) ? "EINVAL" : undefined;
  }
  if (name.startsWith("cpuset.")) {
    if (!top && !within(text.trim(), read(`${dirname(directory)}/${name}`))) return "EACCES";
    return children(directory).every((child) => within(read(`${directory}/${child}/${name}`), text.trim())) ? undefined : "EBUSY";
  }
  return name === "cpu.shares" && at("cpu.idle") === "1" ? "EINVAL" : undefined;
}
