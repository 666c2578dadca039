import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { GuardedManifests, type Guards } from "../../src/host/guardedManifests.ts";
import { ManifestDirectory } from "../../src/host/manifestFiles.ts";
import { readSigningKey } from "../../src/host/seal.ts";
import { sleep } from "../support/live.ts";
import { has } from "../support/programs.ts";

let top: string;
let directory: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "holdfast-guarded-"));
  directory = join(top, "manifests");
  mkdirSync(directory, { mode: 0o755 });
  writeFileSync(join(directory, "a.yaml"), "a: 1\n", { mode: 0o644 });
  writeFileSync(join(directory, "b.yaml"), "b: 1\n", { mode: 0o644 });
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const me = process.geteuid?.() ?? 0;
const guarded = (guards: Partial<Guards>): GuardedManifests =>
  new GuardedManifests(new ManifestDirectory(directory), { trusted: undefined, key: undefined, ...guards });
const found = (manifests: GuardedManifests): Record<string, string> =>
  Object.fromEntries(
    manifests
      .scan()
      .contents.map((content) => [
        content.path.split("/").at(-1) ?? "",
        "text" in content ? content.text : `${content.problem.reason}: ${content.problem.message}`,
      ]),
  );

describe("who may change a manifest", () => {
  const trusted = { uids: new Set([me, 0]), gids: new Set([0]) };
  const inRoot = me === 0 ? test : test.skip;

  test("what only its owner can change is followed", () => {
    chmodSync(top, 0o700);
    expect(found(guarded({ trusted }))).toEqual({ "a.yaml": "a: 1\n", "b.yaml": "b: 1\n" });
  });

  inRoot("a file, a directory or a link that somebody else has a say in is not; the others are", () => {
    chownSync(join(directory, "a.yaml"), 1234, 0);
    expect(found(guarded({ trusted }))).toEqual({ "a.yaml": `FileUntrusted: ${join(directory, "a.yaml")} belongs to user 1234`, "b.yaml": "b: 1\n" });
    chownSync(join(directory, "a.yaml"), 0, 1234);
    chmodSync(join(directory, "a.yaml"), 0o664);
    expect(found(guarded({ trusted }))["a.yaml"]).toMatch(/may be written by group 1234$/);
    chmodSync(join(directory, "a.yaml"), 0o644);
    writeFileSync(join(top, "target.yaml"), "c: 1\n");
    symlinkSync("../target.yaml", join(directory, "c.yaml"));
    expect(found(guarded({ trusted }))["c.yaml"]).toBe("c: 1\n");
    chmodSync(join(top, "target.yaml"), 0o666);
    expect(found(guarded({ trusted }))["c.yaml"]).toMatch(/target\.yaml may be written by everybody$/);
    chmodSync(directory, 0o777);
    expect(Object.values(found(guarded({ trusted }))).every((text) => text.startsWith("FileUntrusted"))).toBe(true);
    expect(found(guarded({}))["a.yaml"]).toBe("a: 1\n");
  });

  inRoot("a look at single files asks as well, and the same refusal is the same content", () => {
    const manifests = guarded({ trusted });
    const [first] = manifests.scan().contents;
    expect(first && "text" in first).toBe(true);
    chmodSync(join(directory, "a.yaml"), 0o646);
    const [again, once] = [1, 2].map(() => manifests.look(new Set([join(directory, "a.yaml")]))?.contents[0]);
    expect(again && "problem" in again && again.problem.reason).toBe("FileUntrusted");
    expect(once).toBe(again);
  });
});

/** `sha256sum` over the manifests, signed. */
function seal(sign: (list: string) => void): void {
  const names = readdirSync(directory).filter((name) => name.endsWith(".yaml"));
  const list = execFileSync("sha256sum", names, { cwd: directory, encoding: "utf8" });
  writeFileSync(join(directory, "manifests.sha256"), list);
  for (const name of ["sig", "minisig"]) rmSync(join(directory, `manifests.sha256.${name}`), { force: true });
  sign(join(directory, "manifests.sha256"));
}

const signers: readonly {
  readonly name: string;
  readonly there: boolean;
  readonly make: () => { readonly key: string; readonly sign: (list: string) => void };
}[] = [
  {
    name: "ssh-keygen",
    there: has("ssh-keygen"),
    make: () => {
      const key = join(top, `key-${readdirSync(top).length}`);
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
      return { key: `${key}.pub`, sign: (list) => execFileSync("ssh-keygen", ["-q", "-Y", "sign", "-n", "holdfast", "-f", key, list], { stdio: "ignore" }) };
    },
  },
  {
    name: "minisign",
    there: has("minisign"),
    make: () => {
      const key = join(top, `key-${readdirSync(top).length}`);
      execFileSync("minisign", ["-G", "-W", "-p", `${key}.pub`, "-s", key], { stdio: "ignore" });
      return { key: `${key}.pub`, sign: (list) => execFileSync("minisign", ["-S", "-s", key, "-m", list], { stdio: "ignore" }) };
    },
  },
];

describe.each(signers)("signed with $name", ({ there, make }) => {
  const ifThere = there ? test : test.skip;
  const refusal = (manifests: GuardedManifests): string | undefined => found(manifests)["manifests"];

  ifThere("what was signed is followed; a change, one more, one less or another key is not", () => {
    const { key, sign } = make();
    seal(sign);
    const fresh = (): GuardedManifests => guarded({ key: readSigningKey(key) });
    expect(found(fresh())).toEqual({ "a.yaml": "a: 1\n", "b.yaml": "b: 1\n" });
    writeFileSync(join(directory, "c.yaml"), "c: 1\n");
    expect(found(fresh())).toEqual({ manifests: "SignatureRefused: c.yaml is not in manifests.sha256" });
    rmSync(join(directory, "c.yaml"));
    renameSync(join(directory, "b.yaml"), join(top, "b"));
    expect(refusal(fresh())).toMatch(/^SignatureRefused: b\.yaml was signed, and is not there/);
    renameSync(join(top, "b"), join(directory, "b.yaml"));
    writeFileSync(join(directory, "a.yaml"), "a: 2\n");
    expect(refusal(fresh())).toBe("SignatureRefused: a.yaml is not what was signed");
    // The list is made anew, and not signed.
    writeFileSync(join(directory, "manifests.sha256"), execFileSync("sha256sum", ["a.yaml", "b.yaml"], { cwd: directory }));
    expect(refusal(fresh())).toMatch(/^SignatureRefused: the signature .* is not good: it is not of this content$/);
    seal(make().sign);
    expect(refusal(fresh())).toMatch(/is not good: it is by another key$/);
    seal(() => {});
    expect(refusal(fresh())).toMatch(/does not exist$/);
    seal(sign);
    expect(found(fresh())["a.yaml"]).toBe("a: 2\n");
  });

  ifThere("what was good stays as a whole: at first unsaid, for the signature may be on its way, and then told", async () => {
    const { key, sign } = make();
    seal(sign);
    const manifests = guarded({ key: readSigningKey(key) });
    const before = manifests.scan().contents;
    writeFileSync(join(directory, "a.yaml"), "a: 2\n");
    await sleep(100);
    const look = manifests.scan();
    expect(look.contents).toEqual(before);
    expect(look.again).toBeLessThanOrEqual(2000);
    await sleep(2050);
    expect(found(manifests)).toEqual({ manifests: "SignatureRefused: a.yaml is not what was signed", "a.yaml": "a: 1\n", "b.yaml": "b: 1\n" });
    seal(sign);
    expect(found(manifests)).toEqual({ "a.yaml": "a: 2\n", "b.yaml": "b: 1\n" });
    expect(existsSync(key)).toBe(true);
  });
});

test("what is no key is said to be none", () => {
  for (const text of ["", "ssh-rsa AAAAB3NzaC1yc2E=", "RWQ=", "-----BEGIN PUBLIC KEY-----"]) {
    writeFileSync(join(top, "key"), text);
    expect(() => readSigningKey(join(top, "key"))).toThrow(/expected a public key of minisign's, or an ssh-ed25519 one/);
  }
});
