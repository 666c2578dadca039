/** What the kernel says of a call that a profile did not allow. */
import { expect, test } from "@jest/globals";
import { readDenial } from "../../src/oci/denial.ts";

const RECORD =
  '5,11535,22687300555,-;audit: type=1326 audit(1795613648.621:2): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=16909 comm="perl" exe="/usr/bin/perl" sig=0 arch=c000003e syscall=250 compat=0 ip=0x7f2f6ed37829 code=0x50000';

test("a denied call has a process, a program and a name; an unknown one its number", () => {
  expect(readDenial(RECORD)).toEqual({ pid: 16909, program: "/usr/bin/perl", call: "keyctl (250)" });
  expect(readDenial(RECORD.replace("syscall=250", "syscall=999"))).toMatchObject({ call: "system call 999" });
  expect(readDenial(RECORD.replace("c000003e", "c00000b7"))).toMatchObject({ call: "system call 250" });
  expect(readDenial("6,1,2,-;eth0: link up")).toBeUndefined();
});
