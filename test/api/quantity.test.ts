import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatBytes, formatCpu, formatDuration, parseBytes, parseCount, parseCpu, parseCpuList, parseDuration } from "../../src/api/quantity.ts";

describe("bytes", () => {
  test.each([
    ["200Mi", "209715200"],
    ["1G", "1000000000"],
    ["1.5Gi", "1610612736"],
    ["1e3", "1000"],
    ["10k", "10000"],
    [4096, "4096"],
    [0, "0"],
    ["max", "max"],
  ])("%p is %p", (written, canonical) => expect(parseBytes(written)).toEqual({ ok: canonical }));

  test.each([
    ["32m", /thousandth/, "write 32Mi or 32M"],
    ["1g", /quantity/, "write 1Gi (powers of 1024) or 1G"],
    ["1K", /quantity/, "write 1Ki (powers of 1024) or 1k"],
    ["10 Mi", /blanks/, "write 10Mi"],
    ["-1", /not negative/, undefined],
    ["", /quantity/, undefined],
    ["\n", /blanks/, undefined],
    ["0.5", /whole number/, undefined],
    ["16E", /8Ei/, "write max"],
    ["18446744073709551616", /8Ei/, "write max"],
    [1e20, /2\^53/, expect.anything()],
    [Number.NaN, /quantity/, undefined],
    [true, /number/, undefined],
    ["0x10", /quantity/, undefined],
    ["10%", /quantity/, undefined],
  ])("%p is refused", (written, message, hint) => {
    const parsed = parseBytes(written);
    expect(parsed).toMatchObject({ bad: expect.stringMatching(message) });
    expect("hint" in parsed ? parsed.hint : undefined).toEqual(hint);
  });

  test("what is written back means the same", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (bytes) => expect(parseBytes(formatBytes(String(bytes)))).toEqual({ ok: String(bytes) })),
    );
  });
});

describe("cpu", () => {
  test.each([
    ["20%", "20000 100000"],
    ["200m", "20000 100000"],
    [0.2, "20000 100000"],
    [1.5, "150000 100000"],
    ["12.5%", "12500 100000"],
    [{ quota: "20ms", period: "50ms" }, "20000 50000"],
    [{ quota: "max", period: "50ms" }, "max 50000"],
    ["max", "max 100000"],
  ])("%p is %p", (written, canonical) => expect(parseCpu(written)).toEqual({ ok: canonical }));

  test.each([["0.5%"], [0], ["-20%"], ["1Gi"], ["20 %"], ["fast"], [{ quota: "20ms", period: "2s" }], [{ quota: "20" }], ["1e14"]])(
    "%p is refused",
    (written) => expect(parseCpu(written)).toHaveProperty("bad"),
  );

  test("a percentage reads back as it was written", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (percent) => {
        const parsed = parseCpu(`${percent}%`);
        expect("ok" in parsed && formatCpu(parsed.ok)).toBe(`${percent}%`);
      }),
    );
  });
});

describe("durations", () => {
  test.each([
    ["20ms", 20_000],
    ["1m30s", 90_000_000],
    ["5us", 5],
    ["1.5s", 1_500_000],
    ["0", 0],
    ["24h", 86_400_000_000],
  ])("%p is %p microseconds", (written, microseconds) => expect(parseDuration(written)).toEqual({ ok: microseconds }));
  test.each([["10"], [10], ["ten"], ["1d"], ["-1s"], [""]])("%p is refused", (written) => expect(parseDuration(written)).toHaveProperty("bad"));
  test("what is written back means the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400_000_000 }), (microseconds) => {
        const parsed = parseDuration(formatDuration(microseconds));
        expect("ok" in parsed && Math.abs(parsed.ok - microseconds)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("lists", () => {
  test.each([
    ["0-1", "0-1"],
    ["1,0", "0-1"],
    ["0-1,1", "0-1"],
    ["3,0-1", "0-1,3"],
    [0, "0"],
    ["0,2,4", "0,2,4"],
  ])("%p is %p", (written, canonical) => expect(parseCpuList(written)).toEqual({ ok: canonical }));
  test.each([["1-0"], [""], ["a"], ["0-"], ["0,,1"], ["99999"], ["0-100000"]])("%p is refused", (written) =>
    expect(parseCpuList(written)).toHaveProperty("bad"),
  );
});

test("counts", () => {
  expect(parseCount(64, 0n, 100n)).toEqual({ ok: "64" });
  expect(parseCount("1k", 0n, 4194304n)).toEqual({ ok: "1000" });
  expect(parseCount(4194305, 0n, 4194304n)).toHaveProperty("bad");
  expect(parseCount(-1, 0n, 4194304n)).toHaveProperty("bad");
  expect(parseCount(1.5, 0n, 10n)).toHaveProperty("bad");
});
