import { expect, test } from "@jest/globals";
import { lookAgainFor } from "../../src/host/attempts.ts";
import type { ProcessStat } from "../../src/host/procfs.ts";

const process = (state: string, waitStatus = 0): ProcessStat => ({
  ...{ pid: 7, comm: "x", state, parent: 1, group: 7, neverExeced: false, exiting: false, kernel: false, threads: 1, startTicks: 1, waitStatus },
});

test("a launching shell that ends while it is looked at is not taken for the end of the container that it has just started", () => {
  const [shell, running] = [process("Z"), process("S")];
  const looks =
    (...all: (readonly [ProcessStat | undefined, ProcessStat | undefined])[]) =>
    () =>
      all.shift() ?? [undefined, undefined];
  expect(lookAgainFor(true, looks([shell, undefined], [shell, running]))).toEqual([shell, running]);
  // Once it was there, or the shell is at work, or failed, or there is no container, nobody looks again.
  for (const [container, first] of [
    [true, [shell, running]],
    [true, [running, undefined]],
    [true, [process("Z", 256), undefined]],
    [false, [shell, undefined]],
  ] as const)
    expect(lookAgainFor(container, looks(first, [undefined, undefined]))).toEqual(first);
});
