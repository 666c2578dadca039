import { expect, test } from "@jest/globals";
import { findAccount } from "../../src/host/accounts.ts";

test.each([
  ["user:root", { uid: 0, gid: 0, name: "root", home: "/root" }],
  ["user:0", { uid: 0, gid: 0, name: "root" }],
  ["user:nobody", { uid: 65534, name: "nobody" }],
  ["user:54321", { uid: 54321, gid: undefined, groups: [] }],
  ["user:no-such-user", { problem: "there is no user no-such-user" }],
  ["group:root", { gid: 0 }],
  ["group:54321", { gid: 54321 }],
  ["group:no-such-group", { problem: "there is no group no-such-group" }],
])("%s", (mention, expected) => expect(findAccount(mention)).toMatchObject(expected));
