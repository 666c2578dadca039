/** Makes a small root file system out of programs of this machine, and keys to sign images of it with. */
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const PROGRAMS = ["sh", "cat", "id", "ls", "sleep", "touch", "stat", "dd"];

/** `release`: what its /release says. */
export function makeRootfs(directory: string, release: string): void {
  for (const name of PROGRAMS) {
    const program = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    for (const file of [program, ...librariesOf(program)]) {
      const target = join(directory, file === program ? `/bin/${name}` : file);
      if (existsSync(target)) continue;
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(realpathSync(file), target);
    }
  }
  mkdirSync(join(directory, "etc"), { recursive: true });
  writeFileSync(join(directory, "etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/:/bin/sh\n");
  writeFileSync(join(directory, "etc/group"), "root:x:0:\napp:x:1234:\nmore:x:77:app\n");
  writeFileSync(join(directory, "release"), `${release}\n`);
}

function librariesOf(program: string): string[] {
  return spawnSync("ldd", [program], { encoding: "utf8" })
    .stdout.split("\n")
    .flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

/** Writes NAME.pem and NAME.pub. */
export function makeKeys(directory: string, name: string, type: "ec" | "ed25519" = "ec"): void {
  const { publicKey, privateKey } = type === "ec" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519");
  writeFileSync(join(directory, `${name}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(join(directory, `${name}.pub`), publicKey.export({ type: "spki", format: "pem" }));
}
