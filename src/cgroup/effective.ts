/** Knows what a value comes to under the values above it: a process gets the least that any cgroup over it allows. */
import type { KernelFile } from "./kernelFile.ts";

/** The files of which a cgroup cannot have more than those above it (cgroup-v2.rst, "Limits"; v1 memory with use_hierarchy). Weights count among neighbours alone. */
const BOUNDED = /^(memory\.(max|high|swap\.max|limit_in_bytes|memsw\.limit_in_bytes)|pids\.max|cpu\.(max|cfs_quota_us)|hugetlb\..*|cpuset\.(cpus|mems))$/;

export const isBounded = (file: KernelFile): boolean => BOUNDED.test(file.name);

/** Index of the value that counts, from the top down; the innermost of equals. -1: there is none. */
export function tightest(file: KernelFile, values: readonly (string | undefined)[]): number {
  let found = -1;
  for (const [index, value] of values.entries()) {
    // An empty list of CPUs is no list: the one above counts (v2).
    if (value === undefined || (value === "" && file.name.startsWith("cpuset."))) continue;
    const known = found < 0 ? undefined : values[found];
    if (known === undefined || known === value || file.widens(value, known)) found = index;
  }
  return found;
}
