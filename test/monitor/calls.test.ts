/** What travels between a controller and its monitor. */
import { expect, test } from "@jest/globals";
import { callLine, decodeReply, encodeReply, errorReply, HEAD, parseCall } from "../../src/monitor/calls.ts";

test("calls arrive as they were sent", () => {
  expect(parseCall(callLine("write", ["/a", "b\n"]))).toEqual(["write", "/a", "b\n"]);
  expect(parseCall(callLine("attempts", [null]))).toEqual(["attempts", null]);
  expect(parseCall(callLine("attempts", [["web@0"]]))).toEqual(["attempts", ["web@0"]]);
});

test.each([
  ["", "no JSON"],
  ["{}", "no list"],
  ["[]", "no call"],
  ['["constructor"]', "no call of ours"],
  ['["__proto__"]', "no call of ours"],
  ['["write","/a"]', "too few words"],
  ['["write","/a","b","c"]', "too many"],
  ['["write",1,"b"]', "another kind of word"],
  ['["write","/a\\u0000","b"]', "a NUL"],
  ['["signal","web@0@1",1,"SIGTERM"]', "pid 1"],
  ['["signal","web@0@1",-5,"SIGTERM"]', "a process group"],
  ['["signal","web@0@1",1.5,"SIGTERM"]', "no pid"],
  ['["handle","web@0@1","{}",1e12]', "a timer that is none"],
  ['["start","web@0@1","web@0","x","yesterday"]', "no time"],
])("%s is none: %s", (line) => expect(parseCall(line)).toBeUndefined());

test("replies arrive with their maps and sets, behind their length", () => {
  const reply = { ok: new Map([["a", new Set([1])]]) };
  const bytes = encodeReply(reply);
  expect(bytes.readUInt32BE()).toBe(bytes.length - HEAD);
  expect(decodeReply(bytes.subarray(HEAD))).toEqual(reply);
  expect(errorReply(Object.assign(new Error("no"), { code: "EACCES" }))).toEqual({ error: { message: "no", code: "EACCES" } });
});
