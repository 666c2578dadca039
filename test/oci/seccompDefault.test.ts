/** Every call that Holdfast's own profile blocks, by name, and to whom it is allowed. */
import { describe, expect, test } from "@jest/globals";
import { CAPABILITIES, DOCKERS } from "../../src/api/capabilities.ts";
import { type OciSeccomp, resolveSeccomp } from "../../src/oci/seccomp.ts";
import { NEVER, RUNTIME_DEFAULT } from "../../src/oci/seccompDefault.ts";

const resolved = (...capabilities: string[]): OciSeccomp => resolveSeccomp(RUNTIME_DEFAULT, { arch: "x64", kernel: "6.1.0", capabilities }, false);
const dockers = DOCKERS.map((name) => `CAP_${name}`);
/** Calls that are allowed whatever their arguments are. */
const allowed = ({ syscalls }: OciSeccomp): Set<string> =>
  new Set(syscalls.filter(({ action, args }) => action === "SCMP_ACT_ALLOW" && !args).flatMap(({ names }) => names));

/** What Docker's profile blocks of the calls of x86-64 with Docker's capabilities (its documentation, and a comparison with its profile). */
const BLOCKED = `
  acct add_key bpf clock_settime create_module delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick get_kernel_syms get_mempolicy
  init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie lsm_get_self_attr
  lsm_list_modules lsm_set_self_attr mbind migrate_pages mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open
  pidfd_getfd pivot_root process_madvise query_module quotactl quotactl_fd reboot request_key set_mempolicy set_mempolicy_home_node setdomainname
  sethostname setns settimeofday stime swapoff swapon _sysctl sysfs syslog umount umount2 unshare uselib userfaultfd ustat vhangup vm86 vm86old`
  .trim()
  .split(/\s+/);

describe("RuntimeDefault", () => {
  test.each(BLOCKED)("blocks %s", (name) => expect(allowed(resolved(...dockers)).has(name)).toBe(false));

  test("never allows some, whatever capabilities one has", () => {
    const every = allowed(resolved(...CAPABILITIES.map((name) => `CAP_${name}`)));
    expect(NEVER.filter((name) => every.has(name))).toEqual([]);
  });

  test("blocks what it does not name, with EPERM; clone3 is not there (ENOSYS)", () => {
    const { defaultAction, defaultErrnoRet, syscalls } = resolved(...dockers);
    expect([defaultAction, defaultErrnoRet]).toEqual(["SCMP_ACT_ERRNO", 1]);
    expect(syscalls.filter(({ action }) => action !== "SCMP_ACT_ALLOW")).toEqual([{ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }]);
  });

  test("lets sockets, clone and personality do what is ordinary", () => {
    const conditions = (name: string) => resolved(...dockers).syscalls.flatMap(({ names, args }) => (names.includes(name) && args ? args : []));
    expect(conditions("clone")).toEqual([{ index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }]);
    // Not AF_ALG (38) and AF_VSOCK (40).
    expect(conditions("socket").map(({ op, value }) => `${op} ${value}`)).toEqual(["SCMP_CMP_LT 38", "SCMP_CMP_EQ 39", "SCMP_CMP_GT 40"]);
    expect(conditions("personality").map(({ value }) => value)).toEqual([0, 8, 0x20000, 0x20008, 0xffffffff]);
  });

  test.each([
    ["CAP_SYS_ADMIN", ["mount", "unshare", "setns", "clone3", "clone"]],
    ["CAP_SYS_PTRACE", ["kcmp", "pidfd_getfd"]],
    ["CAP_SYS_TIME", ["clock_settime"]],
    ["CAP_SYS_MODULE", ["init_module"]],
    ["CAP_SYS_NICE", ["mbind"]],
    ["CAP_SYSLOG", ["syslog"]],
    ["CAP_BPF", ["bpf"]],
    ["CAP_PERFMON", ["perf_event_open"]],
    ["CAP_DAC_READ_SEARCH", ["open_by_handle_at"]],
  ])("allows those who have %s what it is for", (capability, names) => {
    const [without, with_] = [allowed(resolved(...dockers)), allowed(resolved(...dockers, capability))];
    for (const name of names) expect({ name, without: without.has(name), with: with_.has(name) }).toEqual({ name, without: false, with: true });
  });

  test("allows no more than the calls of an ordinary program", () => {
    expect(
      ["chroot", "ptrace", "read", "execve", "futex", "epoll_wait", "statx", "openat2", "landlock_create_ruleset"].filter(
        (name) => !allowed(resolved(...dockers)).has(name),
      ),
    ).toEqual([]);
    expect(resolved(...dockers).architectures).toEqual(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  });
});
