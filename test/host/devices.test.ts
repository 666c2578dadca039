import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { findDevice } from "../../src/host/devices.ts";

const linux = process.platform === "linux" && existsSync("/sys/block");
const disks = linux ? readdirSync("/sys/block").filter((name) => !/^(loop|ram|zram)/.test(name) && existsSync(`/dev/${name}`)) : [];

(linux ? describe : describe.skip)("a disk", () => {
  test.each([
    ["/dev/null", /found no block device at \/dev\/null/],
    ["/tmp", /found a directory at \/tmp/],
    ["/no/such/disk", /found nothing at \/no\/such\/disk/],
    ["path:/no/such/place", /found nothing at \/no\/such\/place/],
    ["path:/proc", /expected a disk under \/proc/],
    ["4095:1", /found no block device 4095:1/],
  ])("is not at %s", (name, message) => expect(findDevice(name)).toEqual({ problem: expect.stringMatching(message), hint: expect.any(String) }));

  (disks.length > 0 ? test : test.skip)("is found by its node and by its number", () => {
    const number = readFileSync(`/sys/block/${disks[0]}/dev`, "utf8").trim();
    expect(findDevice(`/dev/${disks[0]}`)).toEqual({ number });
    expect(findDevice(number)).toEqual({ number });
  });

  const partition = disks.flatMap((disk) =>
    readdirSync(`/sys/block/${disk}`)
      .filter((name) => existsSync(`/sys/block/${disk}/${name}/partition`) && existsSync(`/dev/${name}`))
      .map((name) => ({ disk, name })),
  )[0];
  (partition ? test : test.skip)("is named when a partition is given", () => {
    expect(findDevice(`/dev/${partition?.name}`)).toEqual({ problem: expect.stringContaining("is a partition"), hint: `write /dev/${partition?.disk}` });
  });
});
