/** Knows why the kernel refuses a write, in words. Sources: kernel documentation and what kernels 6.1 to 6.18 answered. */

interface Refusal {
  readonly file: RegExp;
  readonly code: string;
  readonly hint: string;
}

const REFUSALS: readonly Refusal[] = [
  {
    file: /^memory\.(limit|memsw)/,
    code: "EBUSY",
    hint: "more memory is in use than the limit allows and cannot be reclaimed: free memory or stop processes first",
  },
  { file: /^memory\.(limit|memsw)/, code: "EINVAL", hint: "cgroup v1 keeps memory.limit_in_bytes at or below memory.memsw.limit_in_bytes" },
  { file: /^cpu\.cfs_/, code: "EINVAL", hint: "on cgroup v1 a group's CPU ratio may not exceed its parent's, nor fall below a child's; quota is 1ms or more" },
  { file: /^cpu\.(cfs_burst_us|max\.burst)$/, code: "EINVAL", hint: "the burst may not exceed the quota" },
  { file: /^cpu\.(shares|weight)$/, code: "EINVAL", hint: "the group is idle (cpu.idle): its weight is the kernel's business" },
  { file: /^cpu\.max$/, code: "EINVAL", hint: "the quota is 1ms or more, the period 1ms to 1s, and cpu.max.burst may not exceed the quota" },
  { file: /^cpuset\./, code: "EACCES", hint: "on cgroup v1 a group's list must be within its parent's" },
  { file: /^cpuset\./, code: "EBUSY", hint: "a child still uses what the list would lose" },
  { file: /^cpuset\./, code: "ENOSPC", hint: "a group with processes cannot be left without CPUs or nodes" },
  { file: /^cpuset\./, code: "ERANGE", hint: "this machine has no such CPU or memory node" },
  { file: /^cpuset\./, code: "EINVAL", hint: "this machine has no such CPU or memory node" },
  { file: /^(io|blkio)\./, code: "ENODEV", hint: "limits go on whole disks that exist, not on partitions" },
  { file: /^(io|blkio)\./, code: "EOPNOTSUPP", hint: "the disk's scheduler does not support weights (bfq or iocost does)" },
  { file: /^cgroup\.procs$/, code: "ESRCH", hint: "the process has ended" },
  { file: /^cgroup\.procs$/, code: "ENOSPC", hint: "the cpuset has no CPUs or memory nodes yet" },
  { file: /^cgroup\.procs$/, code: "EBUSY", hint: "on cgroup v2 a group that hands down controllers cannot hold processes itself" },
  { file: /^cgroup\.procs$/, code: "EINVAL", hint: "kernel threads and realtime tasks without a budget cannot be moved" },
  { file: /^cgroup\.procs$/, code: "EOPNOTSUPP", hint: "the cgroup is threaded or 'domain invalid': a group above it holds processes" },
  {
    file: /^cgroup\.subtree_control$/,
    code: "EBUSY",
    hint: "the cgroup has processes of its own (or a child still uses the controller): move them into a leaf first",
  },
  { file: /^cgroup\.subtree_control$/, code: "ENOENT", hint: "the cgroup above does not hand the controller down" },
  { file: /^mkdir$/, code: "EAGAIN", hint: "cgroup.max.descendants or cgroup.max.depth of a cgroup above is reached" },
  { file: /^mkdir$/, code: "ENOSPC", hint: "the kernel is out of memory cgroup ids: dying cgroups still hold memory" },
  { file: /^rmdir$/, code: "EBUSY", hint: "it still has processes or children" },
  { file: /./, code: "EACCES", hint: "run as root, or have the cgroup delegated" },
  { file: /./, code: "EPERM", hint: "run as root; in a cgroup namespace the topmost group's limits belong to the outside" },
  { file: /./, code: "EROFS", hint: "cgroups are mounted read-only here: mount them rw (in a container: -v /sys/fs/cgroup:/sys/fs/cgroup:rw)" },
  { file: /./, code: "ENODEV", hint: "the cgroup was removed meanwhile" },
  { file: /./, code: "ENOENT", hint: "the cgroup was removed meanwhile, or this kernel has no such file" },
  { file: /./, code: "ENOSPC", hint: "the disk is full" },
];

/** A hint for a refused operation, `file` being the interface file's name, `mkdir` or `rmdir`. */
export function refusalHint(file: string, code: string): string | undefined {
  return REFUSALS.find((refusal) => refusal.code === code && refusal.file.test(file))?.hint;
}
