/** Workloads from images: what is whole and signed runs; what is not is refused with the reason, before anything is unpacked. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { bundlesIn } from "../../src/host/bundle.ts";
import { whyNotImages } from "../support/confined.ts";
import { makeKeys, makeRootfs } from "../support/image.ts";
import { Live, sleep, until } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";

(whyNotImages === undefined ? describe : describe.skip)("a workload from an image", () => {
  let live: Live;
  let digest: string;
  const file = (name: string): string => join(live.directory, name);
  const image = (...args: string[]): { code: number; out: string } => {
    try {
      return {
        code: 0,
        out: execFileSync(process.execPath, ["bin/holdfast.js", "image", ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim(),
      };
    } catch (error) {
      const { status, stderr } = error as { status: number; stderr: string };
      return { code: status, out: stderr.trim() };
    }
  };
  const made = (release: string): string => {
    rmSync(file("root"), { recursive: true, force: true });
    makeRootfs(file("root"), release);
    return image("import", file("root"), file("layout")).out;
  };

  beforeEach(() => {
    live = new Live();
    chmodSync(live.directory, 0o711);
    digest = made("one");
  });
  afterEach(() => live.close());

  const spec = (more = "", of = digest): string =>
    `{command: [sh, -c, 'cat /release; id; sleep 300'], confined: true, image: {layout: ${file("layout")}, digest: "${of}"${more}}, terminationGracePeriodSeconds: 1}`;
  const signed = ', verify: {publicKey: KEY, identity: "registry.example/app:1"}';
  const verify = (key = "good"): string => signed.replace("KEY", file(`${key}.pub`));
  const state = () => live.view("w").status;
  const message = (): string => JSON.stringify(state());
  const refused = async (text: string): Promise<string> => {
    await live.apply(workload("w", text));
    return await live.settle("it is refused", () => message().includes("refused") && message());
  };
  const unpacked = (): string[] => (existsSync(live.images) ? readdirSync(live.images).filter((name) => !name.startsWith(".")) : []);

  test("runs as one of its users, in a root file system of its own that is writable and gone afterwards", async () => {
    const script = "cat /release; id; touch /home-made && ls /home-made; dd if=/dev/zero of=/big bs=1M count=9 2>/dev/null || echo full";
    const text = (user: string): string =>
      `{command: [sh, -c, '${script}'], ${user} confined: true, restartPolicy: Never, image: {layout: ${file("layout")}, digest: "${digest}", writableSize: 8Mi}}`;
    await live.apply(workload("w", text("")));
    await live.settle("it has ended", () => state().replicaStatuses?.[0]?.state.terminated);
    expect(live.log("w")).toBe("one\nuid=0(root) gid=0(root) groups=0(root)\n/home-made\nfull\n");
    expect(existsSync(join(live.images, unpacked()[0] ?? "", "rootfs", "home-made"))).toBe(false);
    await live.apply(workload("w", text("user: app,")));
    await live.settle("it has ended again", () => live.log("w").includes("1234"));
    expect(live.log("w")).toContain("uid=1234(app) gid=1234(app) groups=1234(app),77(more)\n");
  });

  test("is read-only when that is declared, and mapped in a user namespace", async () => {
    const range = "[{containerID: 0, hostID: 100000, size: 65536}]";
    const text = `{command: [sh, -c, 'stat -c %u /release; touch /x; cat /release'], confined: true, restartPolicy: Never, namespaces: {user: {uidMappings: ${range}}}, securityContext: {readOnlyRootFilesystem: true}, image: {layout: ${file("layout")}, digest: "${digest}"}}`;
    await live.apply(workload("w", text));
    await live.settle("it has ended", () => state().replicaStatuses?.[0]?.state.terminated);
    expect(live.log("w")).toBe("0\ntouch: cannot touch '/x': Read-only file system\none\n");
  });

  test("signed by the right key under the right name runs; all else is refused, and nothing is unpacked", async () => {
    makeKeys(live.directory, "good");
    makeKeys(live.directory, "other", "ed25519");
    expect(await refused(spec(verify()))).toContain("it is not signed");
    expect(image("sign", file("layout"), "--key", file("other.pem"), "--identity", "registry.example/app:1")).toMatchObject({ code: 0 });
    expect(image("verify", file("layout"), "--public-key", file("other.pub"), "--identity", "registry.example/app:1")).toMatchObject({ code: 0 });
    rmSync(live.images, { recursive: true });
    expect(await refused(spec(verify()))).toContain("is by the key");
    image("sign", file("layout"), "--key", file("good.pem"), "--identity", "registry.example/app:2");
    rmSync(live.images, { recursive: true });
    expect(await refused(spec(verify()))).toContain("it is signed as registry.example/app:2, and not as registry.example/app:1");
    expect(unpacked()).toEqual([]);
    image("sign", file("layout"), "--key", file("good.pem"), "--identity", "registry.example/app:1");
    rmSync(live.images, { recursive: true });
    await live.apply(workload("w", spec(verify())));
    await live.settle("it runs", () => live.pid("w"));
    // The signature of one image is none of another.
    const second = made("two");
    expect(await refused(spec(verify(), second))).toContain("it is not signed");
    expect(live.pid("w")).toBeGreaterThan(0);
  });

  test.each<[string, (blobs: string) => void, RegExp]>([
    [
      "its manifest",
      (blobs) => writeFileSync(join(blobs, digest.slice(7)), readFileSync(join(blobs, digest.slice(7)), "utf8").replace('"layers"', '"layers" ')),
      /the manifest is not what its digest/,
    ],
    ["a layer", (blobs) => tamper(join(blobs, largest(blobs))), /a layer is not what its digest/],
    ["the configuration", (blobs) => tamper(join(blobs, configOf(blobs, digest))), /the configuration is not what its digest/],
    ["a missing layer", (blobs) => rmSync(join(blobs, largest(blobs))), /does not exist/],
  ])("is refused when somebody changed %s", async (_, change, expected) => {
    change(join(file("layout"), "blobs/sha256"));
    expect(await refused(spec())).toMatch(expected);
    expect(image("verify", file("layout"), "--digest", digest)).toMatchObject({ code: 1 });
    expect(unpacked()).toEqual([]);
  });

  test("may be asked for under two policies at once", async () => {
    for (const name of ["good", "other"]) {
      makeKeys(live.directory, name);
      image("sign", file("layout"), "--key", file(`${name}.pem`), "--identity", "registry.example/app:1");
    }
    const { told } = await live.started([workload("w", spec(verify("good"))), workload("v", spec(verify("other")))].join("---\n"));
    await until("both run", () => live.pid("w") && live.pid("v"), 20_000);
    // It comes to an end: once each, and once more at most.
    for (let [before, rounds] = [-1, 0]; before !== told("Unpacking").length && rounds < 5; rounds++) {
      before = told("Unpacking").length;
      await sleep(1500);
    }
    expect(told("Unpacking").length).toBeLessThanOrEqual(3);
  });

  test("may have the same layer twice", async () => {
    const blobs = join(file("layout"), "blobs/sha256");
    const manifest = JSON.parse(readFileSync(join(blobs, digest.slice(7)), "utf8"));
    const config = JSON.parse(readFileSync(join(blobs, manifest.config.digest.slice(7)), "utf8"));
    const put = (value: unknown): { digest: string; size: number } => {
      const text = JSON.stringify(value);
      const hash = createHash("sha256").update(text).digest("hex");
      writeFileSync(join(blobs, hash), text);
      return { digest: `sha256:${hash}`, size: text.length };
    };
    const twice = (list: unknown[]): unknown[] => [...list, ...list];
    const settings = put({ ...config, rootfs: { ...config.rootfs, diff_ids: twice(config.rootfs.diff_ids) } });
    const made = put({ ...manifest, config: { ...manifest.config, ...settings }, layers: twice(manifest.layers) });
    await live.apply(workload("w", spec("", made.digest)));
    await live.settle("it runs", () => live.log("w").includes("one"));
  });

  test("is started by a single apply", () => {
    live.write(workload("w", spec()));
    expect(live.holdfast("apply").code).toBe(0);
    expect(live.pid("w")).toBeGreaterThan(0);
  });

  test("rolls to another digest, and what nobody runs from any more goes", async () => {
    const text = (of: string): string => spec("", of).replace("confined: true", "confined: true, replicas: 2");
    const { told } = await live.started(workload("w", text(digest)));
    await until("both run", () => state().readyReplicas === 2);
    const before = [live.pid("w", 0), live.pid("w", 1)];
    live.write(workload("w", text(`sha256:${"0".repeat(64)}`)));
    await until("it is refused", () => told("ImageRefused").length > 0);
    expect([live.pid("w", 0), live.pid("w", 1)]).toEqual(before);
    const second = made("two");
    live.write(workload("w", text(second)));
    await until("both are new", () => live.log("w", 0).includes("two") && live.log("w", 1).includes("two"), 20_000);
    await until("the old one is gone", () => unpacked().join() === second.slice(7), 20_000);
    live.write(group("g"));
    await until("all is gone", () => unpacked().length === 0 && readdirSync(bundlesIn(live.runDirectory).directory).length === 0, 30_000);
  });

  test("comes from an archive of docker save, whose file is what the digest is of", async () => {
    const [manifest] = JSON.parse(readFileSync(join(file("layout"), "index.json"), "utf8")).manifests as { digest: string }[];
    const { config, layers } = JSON.parse(readFileSync(join(file("layout"), "blobs/sha256", manifest?.digest.slice(7) ?? ""), "utf8"));
    mkdirSync(file("docker"));
    cpSync(join(file("layout"), "blobs/sha256", layers[0].digest.slice(7)), join(file("docker"), "layer.tar"));
    const settings = {
      ...JSON.parse(readFileSync(join(file("layout"), "blobs/sha256", config.digest.slice(7)), "utf8")),
      config: { Entrypoint: ["sh", "-c"], Cmd: ["cat /release; id -u; echo $A; sleep 300"], Env: ["A=b", "PATH=/bin"], User: "app", WorkingDir: "/etc" },
    };
    writeFileSync(join(file("docker"), "config.json"), JSON.stringify(settings));
    writeFileSync(join(file("docker"), "manifest.json"), JSON.stringify([{ Config: "config.json", RepoTags: ["app:1"], Layers: ["layer.tar"] }]));
    execFileSync("tar", ["-cf", file("docker.tar"), "-C", file("docker"), "."]);
    const of = `sha256:${createHash("sha256")
      .update(readFileSync(file("docker.tar")))
      .digest("hex")}`;
    const text = (given: string): string => `{confined: true, image: {archive: ${file("docker.tar")}, digest: "${given}"}}`;
    expect(await refused(text(digest))).toContain(`it is ${of}`);
    await live.apply(workload("w", text(of)));
    await live.settle("it runs", () => live.log("w").includes("b"));
    expect(live.log("w")).toBe("one\n1234\nb\n");
    // Links must not lead out of the archive.
    rmSync(join(file("docker"), "layer.tar"));
    symlinkSync("/etc/passwd", join(file("docker"), "layer.tar"));
    execFileSync("tar", ["-cf", file("docker.tar"), "-C", file("docker"), "."]);
    const evil = `sha256:${createHash("sha256")
      .update(readFileSync(file("docker.tar")))
      .digest("hex")}`;
    expect(await refused(text(evil))).toContain("has no file layer.tar");
  });
});

function largest(blobs: string): string {
  return readdirSync(blobs).sort((a, b) => readFileSync(join(blobs, b)).length - readFileSync(join(blobs, a)).length)[0] ?? "";
}

function configOf(blobs: string, digest: string): string {
  return (JSON.parse(readFileSync(join(blobs, digest.slice(7)), "utf8")) as { config: { digest: string } }).config.digest.slice(7);
}

function tamper(path: string): void {
  const bytes = readFileSync(path);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}
