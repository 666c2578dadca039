import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Change, Collection, Versions } from "../../src/serve/collection.ts";
import type { Served } from "../../src/serve/object.ts";

const object = (name: string, value: number): Served => ({ apiVersion: "x/v1", kind: "Thing", metadata: { name, uid: name }, spec: { value } });

test("an object that is as it was is no change; its text carries the version of the last one", () => {
  const things = new Collection(new Versions());
  things.put(object("a", 1));
  const first = things.get("a");
  things.put(object("a", 1));
  expect(things.get("a")).toBe(first);
  things.put(object("a", 2));
  const second = things.get("a");
  expect(second?.version).toBeGreaterThan(first?.version ?? Number.POSITIVE_INFINITY);
  expect(JSON.parse(second?.text ?? "{}")).toEqual(second?.object);
  expect(second?.object.metadata.resourceVersion).toBe(String(second?.version));
});

test("whoever lists, and then follows all changes since, knows all there is", () => {
  const step = fc.record({ name: fc.constantFrom("a", "b", "c"), value: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(step), fc.array(step), (before, after) => {
      const things = new Collection(new Versions());
      const play = (steps: typeof before): void => {
        for (const { name, value } of steps) value === undefined ? things.remove(name) : things.put(object(name, value));
      };
      play(before);
      const seen = new Map([...things.all()].map((item) => [item.object.metadata.name, item.text]));
      const { version } = things;
      const heard: Change[] = [];
      const end = things.watch((change) => heard.push(change));
      play(after);
      end();
      const missed = things.since(version);
      expect(missed).toEqual(heard);
      let last = version;
      for (const change of heard) {
        expect(change.version).toBeGreaterThan(last);
        last = change.version;
        const { name } = change.item.object.metadata;
        expect(seen.has(name)).toBe(change.type !== "ADDED");
        if (change.type === "DELETED") seen.delete(name);
        else seen.set(name, change.item.text);
      }
      expect([...seen].sort()).toEqual([...things.all()].map((item) => [item.object.metadata.name, item.text]).sort());
    }),
  );
});

test("what was too long ago is not known any more", () => {
  const things = new Collection(new Versions());
  const { version } = things;
  for (let value = 0; value < 20_000; value++) things.put(object("a", value));
  expect(things.since(version)).toBeUndefined();
  expect(things.since(things.version)).toEqual([]);
});
