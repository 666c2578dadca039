import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { Saver } from "../../src/reconcile/saver.ts";

test("saves once at a time, again when it was asked meanwhile, and a last time", async () => {
  let [at, most, count] = [0, 0, 0];
  const warnings: string[] = [];
  const saver = new Saver(
    async () => {
      most = Math.max(most, ++at);
      await pause(30);
      at--;
      if (++count === 2) throw new Error("the disk is full");
    },
    (message) => warnings.push(message),
  );
  saver.soon(0);
  saver.soon(0);
  saver.now();
  saver.now();
  saver.now();
  await pause(200);
  expect([count, most]).toEqual([2, 1]);
  expect(warnings).toEqual(["the status file could not be written: the disk is full"]);
  saver.soon(0);
  saver.now();
  saver.now();
  await saver.last();
  expect([count, most]).toEqual([4, 1]);
  await pause(400);
  expect(count).toBe(4);
});
