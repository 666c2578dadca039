/** Knows the capabilities of Linux (capabilities(7)): their names, in the order of their numbers, and sets of them. */

/** Without CAP_, as in Kubernetes; the place is the number. */
export const CAPABILITIES = [
  ...(["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE"] as const),
  ...(["NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT"] as const),
  ...(["SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE"] as const),
  ...(["AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ"] as const),
  ...(["PERFMON", "BPF", "CHECKPOINT_RESTORE"] as const),
] as const;

export type Capability = (typeof CAPABILITIES)[number];

/** What Docker gives a container: 0xa80425fb. */
export const DOCKERS: readonly Capability[] = [
  ...(["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT"] as const),
  ...(["MKNOD", "AUDIT_WRITE", "SETFCAP"] as const),
];

/** Those of a mask as /proc/PID/status shows it, `000001fffeffffff`. */
export function capabilitiesOf(mask: string): Capability[] {
  const bits = BigInt(`0x${mask}`);
  return CAPABILITIES.filter((_, number) => (bits >> BigInt(number)) & 1n);
}
