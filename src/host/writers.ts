/**
 * Knows who writes a file: the kernel tells it (fanotify(7)), through perl as process events are (processEvents.ts). Only for files that are fought about: it takes a process for each.
 */
import { listen } from "./perl.ts";

export interface Writers {
  /** Begins to listen for writers of a file, if it is not listened already. */
  watch(file: string): void;
  /** `process 4211 (senpai)`: who wrote it last, but for this program; undefined where nobody has been seen. */
  lastOf(file: string): string | undefined;
  forget(file: string): void;
  close(): void;
}

/** So many files at a time. */
const MOST = 8;

/** fanotify_init and fanotify_mark have numbers of their own on each machine; FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD. Each event is a process and an open file, that is closed. */
const SCRIPT = String.raw`
use strict; $| = 1;
my %numbers = (x86_64 => [300, 301], aarch64 => [262, 263]);
my $machine = qx(uname -m); chomp $machine;
my $both = $numbers{$machine} or exit 2;
my $fd = syscall($both->[0], 0, 0);
exit 2 if $fd < 0 || syscall($both->[1], $fd, 1, 2, -100, $ARGV[0]) < 0;
open(my $events, "<&=", $fd) or exit 2;
for (;;) {
  my $in = ""; vec($in, $fd, 1) = 1; vec($in, fileno(STDIN), 1) = 1;
  select($in, undef, undef, undef);
  exit 0 if vec($in, fileno(STDIN), 1);
  my $buffer;
  my $got = sysread($events, $buffer, 4096) or exit 1;
  for (my $at = 0; $at < $got;) {
    my ($length) = unpack("L", substr($buffer, $at, 4));
    my ($file, $pid) = unpack("ll", substr($buffer, $at + 16, 8));
    my $comm = "";
    if (open(my $source, "<", "/proc/$pid/comm")) { $comm = <$source>; chomp $comm }
    if (open(my $opened, "<&=", $file)) { close($opened) }
    print "$pid $comm\n";
    $at += $length;
  }
}
`;

export function openWriters(): Writers {
  const watched = new Map<string, { last: string | undefined; close: () => void }>();
  return {
    watch: (file) => {
      if (watched.has(file) || watched.size >= MOST) return;
      const heard = (line: string): void => {
        const [, pid, comm] = /^(\d+) (.*)$/.exec(line) ?? [];
        if (pid !== undefined && Number(pid) !== process.pid) entry.last = `process ${pid}${comm ? ` (${comm})` : ", which is gone"}`;
      };
      // Where it cannot be told, nobody is named.
      const { close } = listen(SCRIPT, [file], heard, () => {});
      const entry: { last: string | undefined; close: () => void } = { last: undefined, close };
      watched.set(file, entry);
    },
    lastOf: (file) => watched.get(file)?.last,
    forget: (file) => {
      watched.get(file)?.close();
      watched.delete(file);
    },
    close: () => {
      for (const { close } of watched.values()) close();
      watched.clear();
    },
  };
}

/** Where nobody listens. */
export const NO_WRITERS: Writers = { watch: () => {}, lastOf: () => undefined, forget: () => {}, close: () => {} };
