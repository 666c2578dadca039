/** Knows how the kernel tells of a system call that a seccomp profile did not allow (audit record type 1326, AUDIT_SECCOMP). */

export interface Denial {
  readonly pid: number;
  readonly program: string;
  /** `keyctl`, or `system call 250`. */
  readonly call: string;
}

/** AUDIT_ARCH_X86_64 (linux/audit.h), and the numbers of what RuntimeDefault blocks there. */
const X86_64 = "c000003e";
const NUMBERS =
  "acct:163 add_key:248 bpf:321 chroot:161 clock_settime:227 clone:56 clone3:435 delete_module:176 fanotify_init:300 finit_module:313 fsconfig:431 " +
  "fsmount:432 fsopen:430 fspick:433 get_mempolicy:239 init_module:175 io_uring_enter:426 io_uring_register:427 io_uring_setup:425 ioperm:173 iopl:172 " +
  "kcmp:312 kexec_file_load:320 kexec_load:246 keyctl:250 lookup_dcookie:212 mbind:237 migrate_pages:256 mkdir:83 mount:165 mount_setattr:442 move_mount:429 " +
  "move_pages:279 open_by_handle_at:304 open_tree:428 perf_event_open:298 personality:135 pidfd_getfd:438 pivot_root:155 process_madvise:440 " +
  "process_vm_readv:310 process_vm_writev:311 ptrace:101 quotactl:179 quotactl_fd:443 reboot:169 request_key:249 set_mempolicy:238 " +
  "set_mempolicy_home_node:450 setdomainname:171 sethostname:170 setns:308 settimeofday:164 socket:41 swapoff:168 swapon:167 syslog:103 sysfs:139 " +
  "umount2:166 unshare:272 uselib:134 userfaultfd:323 ustat:136 vhangup:153";
const NAMES = new Map(NUMBERS.split(" ").map((entry) => [Number(entry.split(":")[1]), entry.split(":")[0] ?? ""]));

/** A record of /dev/kmsg; undefined when it tells of something else. */
export function readDenial(record: string): Denial | undefined {
  if (!record.includes("type=1326 ")) return undefined;
  const field = (name: string): string => new RegExp(` ${name}=("[^"]*"|\\S+)`).exec(record)?.[1]?.replaceAll('"', "") ?? "";
  const number = Number(field("syscall"));
  const known = field("arch") === X86_64 ? NAMES.get(number) : undefined;
  return { pid: Number(field("pid")), program: field("exe") || field("comm"), call: known ? `${known} (${number})` : `system call ${number}` };
}
