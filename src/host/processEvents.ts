/**
 * Knows when a process has executed another program or become another user, as the kernel tells it (its proc connector, connector(7); Documentation/driver-api/connector.rst).
 * Node has no such sockets: perl has, and passes the numbers on.
 */
import { listen } from "./perl.ts";

interface Options {
  /** Each process that is another one now. */
  readonly changed: (pid: number) => void;
  /** Some were not told: all must be looked at. */
  readonly lost: () => void;
  /** Nothing is told any more, or never was. */
  readonly ended: () => void;
}

export interface ProcessEvents {
  close(): void;
}

/**
 * NETLINK_CONNECTOR (11), CN_IDX_PROC (1), PROC_CN_MCAST_LISTEN (1). The socket's filter lets exec (2), uid (4), gid (64) and comm (512) through: forks and exits,
 * two thirds of all that happens, wake nobody. A process is told by its first thread alone. It ends when its standard input does.
 * Its time slice is the shortest, 0.1 ms, where the kernel lets one be asked for (Linux 6.12; sched_setattr(2), sched_runtime): it has little to do, and does not wait
 * until the very process of which it shall tell has used up a slice of its own. It gets no larger share of the CPU by that.
 */
const SCRIPT = String.raw`
use strict; $| = 1;
my ($setattr) = @ARGV;
syscall($setattr, 0, pack("LLQlLQQQ", 48, 0, 8, getpriority(0, 0), 0, 100_000, 0, 0), 0) if $setattr;
socket(my $s, 16, 2, 11) or exit 2;
my @wanted = map { unpack("N", pack("L", $_)) } (2, 4, 64, 512);
my @filter = ([0x20, 0, 0, 36], (map { [0x15, @wanted - $_, 0, $wanted[$_]] } 0 .. $#wanted), [0x06, 0, 0, 0], [0x06, 0, 0, 0xffff]);
my $filter = join("", map { pack("SCCL", @$_) } @filter);
setsockopt($s, 1, 26, pack("S x![L!] P", scalar(@filter), $filter)) or exit 2;
setsockopt($s, 1, 33, pack("l", 1 << 22));
bind($s, pack("SSLL", 16, 0, $$, 1)) or exit 2;
send($s, pack("LSSLL LLLLSS L", 40, 3, 0, 0, $$, 1, 1, 0, 0, 4, 0, 1), 0) or exit 2;
print "ready\n";
for (;;) {
  my $in = ""; vec($in, fileno($s), 1) = 1; vec($in, fileno(STDIN), 1) = 1;
  select($in, undef, undef, undef);
  exit 0 if vec($in, fileno(STDIN), 1);
  my $event;
  if (!defined(sysread($s, $event, 65536))) { print "lost\n"; next }
  my ($pid, $group) = unpack("LL", substr($event, 52, 8));
  print "$group\n" if $pid == $group;
}
`;

/** The number of sched_setattr(2): perl knows none by name. */
const SCHED_SETATTR: Partial<Record<NodeJS.Architecture, number>> = { x64: 314, arm64: 274, riscv64: 274, loong64: 274 };

export function processEvents({ changed, lost, ended }: Options): ProcessEvents {
  return listen(
    SCRIPT,
    [String(SCHED_SETATTR[process.arch] ?? 0)],
    (line) => {
      if (/^\d+$/.test(line)) changed(Number(line));
      // What happened before it listened was told to nobody.
      else lost();
    },
    ended,
  );
}
