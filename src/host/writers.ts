/**
 * Knows who writes a file: the kernel tells it (fanotify(7)), through perl as process events are (processEvents.ts). Only for files that are fought about: each of their writes wakes a process,
 * one for all of them; to start one takes longer than anything else that a controller does at once.
 */
import { type Listener, listen } from "./perl.ts";

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

/**
 * fanotify_init and fanotify_mark have numbers of their own on each machine; FAN_MARK_ADD (1) or _REMOVE (2), FAN_MODIFY (2), AT_FDCWD. It is told `1 NUMBER PATH` or `2 NUMBER PATH`, and tells
 * `PID NUMBER COMMAND`. Each event is a process and an open file, that is closed.
 */
const SCRIPT = String.raw`
use strict; $| = 1;
my ($init, $mark) = @ARGV;
my $fd = syscall($init, 0, 0);
exit 2 if $fd < 0;
open(my $events, "<&=", $fd) or exit 2;
my (%numbers, $said);
for (;;) {
  my $in = ""; vec($in, $fd, 1) = 1; vec($in, fileno(STDIN), 1) = 1;
  select($in, undef, undef, undef);
  if (vec($in, fileno(STDIN), 1)) {
    sysread(STDIN, $said, 65536, length($said // "")) or exit 0;
    while ($said =~ s/^(\d) (\d+) (.*)\n//) {
      my ($how, $number, $path) = ($1, $2, $3);
      if ($how == 1) { $numbers{$path} = $number } else { delete $numbers{$path} }
      syscall($mark, $fd, 0 + $how, 2, -100, $path);
    }
    next;
  }
  my $buffer;
  my $got = sysread($events, $buffer, 4096) or exit 1;
  for (my $at = 0; $at < $got;) {
    my ($length) = unpack("L", substr($buffer, $at, 4));
    my ($file, $pid) = unpack("ll", substr($buffer, $at + 16, 8));
    my $comm = "";
    if (open(my $source, "<", "/proc/$pid/comm")) { $comm = <$source> // ""; chomp $comm; $comm =~ s/[^[:print:]]/?/g }
    my $number = $numbers{readlink("/proc/self/fd/$file") // ""};
    if (open(my $opened, "<&=", $file)) { close($opened) }
    print "$pid $number $comm\n" if defined $number;
    $at += $length;
  }
}
`;

const NUMBERS: Partial<Record<NodeJS.Architecture, readonly [init: string, mark: string]>> = {
  x64: ["300", "301"],
  arm64: ["262", "263"],
  riscv64: ["262", "263"],
};
/** FAN_MARK_ADD and FAN_MARK_REMOVE. */
const [ADD, REMOVE] = [1, 2];

export function openWriters(): Writers {
  const watched = new Map<string, { readonly number: number; last: string | undefined }>();
  let listener: Listener | undefined;
  let count = 0;
  const heard = (line: string): void => {
    const [, pid, number, comm] = /^(\d+) (\d+) (.*)$/.exec(line) ?? [];
    if (pid === undefined || Number(pid) === process.pid) return;
    for (const entry of watched.values()) if (entry.number === Number(number)) entry.last = `process ${pid}${comm ? ` (${comm})` : ", which is gone"}`;
  };
  const numbers = NUMBERS[process.arch];
  return {
    watch: (file) => {
      if (!numbers || watched.has(file) || watched.size >= MOST || file.includes("\n")) return;
      // Where it cannot be told, nobody is named.
      listener ??= listen(SCRIPT, numbers, heard, () => {});
      watched.set(file, { number: ++count, last: undefined });
      listener.send(`${ADD} ${count} ${file}`);
    },
    lastOf: (file) => watched.get(file)?.last,
    forget: (file) => {
      const entry = watched.get(file);
      if (!entry) return;
      watched.delete(file);
      listener?.send(`${REMOVE} ${entry.number} ${file}`);
    },
    close: () => {
      listener?.close();
      listener = undefined;
      watched.clear();
    },
  };
}

/** Where nobody listens. */
export const NO_WRITERS: Writers = { watch: () => {}, lastOf: () => undefined, forget: () => {}, close: () => {} };
