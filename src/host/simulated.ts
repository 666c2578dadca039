/**
 * Knows how to stand in for a kernel where cgroups cannot be written (not root, no Linux): the same file tree in a
 * temporary directory, with the kernel's answers to mkdir and write, and processes that only exist on paper.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Controllers } from "../cgroup/hierarchy.ts";
import type { KernelFile } from "../cgroup/kernelFile.ts";
import { FREEZER, filesOfController } from "../cgroup/knobs.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import type { ObservedAttempt } from "../plan/observed.ts";
import { type CgroupFiles, kernelFiles } from "./cgroupfs.ts";
import type { Processes } from "./processes.ts";
import { breaksRule } from "./simulatedRules.ts";
import type { Tree } from "./tree.ts";

const V2_CONTROLLERS = "cpu cpuset hugetlb io memory pids";
const V1_CONTROLLERS = ["cpu", "cpuset", "memory", "blkio", "pids", "freezer", "hugetlb"];

export interface SimulatedMachine {
  readonly directory: string;
  readonly mountinfo: string;
  readonly files: CgroupFiles;
  remove(): void;
}

/** A machine of one cgroup version below a new temporary directory. */
export function simulatedMachine(version: 1 | 2 = 2): SimulatedMachine {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-simulated-"));
  const mounts =
    version === 2
      ? [{ mount: directory, controllers: V2_CONTROLLERS.split(" ") }]
      : V1_CONTROLLERS.map((name) => ({ mount: join(directory, name), controllers: [name] }));
  const files = simulatedFiles(
    version,
    (path) => mounts.find(({ mount }) => path === mount || path.startsWith(`${mount}/`)) ?? { mount: directory, controllers: [] },
  );
  const lines: string[] = [];
  for (const { mount, controllers } of mounts) {
    mkdirSync(mount, { recursive: true });
    if (version === 2) {
      writeFileSync(join(mount, "cgroup.controllers"), `${V2_CONTROLLERS}\n`);
      writeFileSync(join(mount, "cgroup.subtree_control"), `${V2_CONTROLLERS}\n`);
      lines.push(`30 23 0:26 / ${mount} rw - cgroup2 cgroup2 rw`);
    } else {
      populate(
        mount,
        controllers.flatMap((name) => kernelFilesOf(1, name)),
      );
      if (controllers[0] === "cpuset")
        for (const [file, value] of [
          ["cpuset.cpus", "0-3"],
          ["cpuset.mems", "0"],
        ] as const)
          writeFileSync(join(mount, file), `${value}\n`);
      lines.push(`30 23 0:26 / ${mount} rw - cgroup cgroup rw,${controllers.join(",")}`);
    }
  }
  return { directory, mountinfo: lines.join("\n"), files, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

function kernelFilesOf(version: 1 | 2, controller: string): KernelFile[] {
  const files = filesOfController(version, controller).map(({ file }) => file);
  return version === 1 && controller === "freezer" ? [...files, FREEZER[1].file] : files;
}

function populate(directory: string, files: readonly KernelFile[]): void {
  for (const file of files) {
    const keyed =
      file.initial("0:0") !== file.initial("") || (/max$|device$/.test(file.name) && file.initial("").includes("=")) || file.name.startsWith("blkio.throttle");
    const text = file.name === "io.weight" ? "default 100" : keyed ? "" : file.text("", file.initial(""));
    writeFileSync(join(directory, file.readFrom ?? file.name), file.readFrom ? "0\n" : text === "" || text === "\n" ? "\n" : `${text}\n`);
    if (file.readFrom) writeFileSync(join(directory, file.name), "THAWED\n");
  }
}

type MountOf = (path: string) => { readonly mount: string; readonly controllers: readonly string[] };

function simulatedFiles(version: 1 | 2, mountOf: MountOf): CgroupFiles {
  const plain = kernelFiles();
  const words = (file: string): string[] => (plain.read(file) ?? "").split(/\s+/).filter(Boolean);
  const error = (code: string, file: string): Error => Object.assign(new Error(`${code}: simulated kernel, ${file}`), { code });

  const makeDirectory = (directory: string): void => {
    if (plain.children(directory) !== undefined) return;
    mkdirSync(directory);
    writeFileSync(join(directory, "cgroup.procs"), "");
    if (version === 1) {
      populate(
        directory,
        mountOf(directory).controllers.flatMap((name) => kernelFilesOf(1, name)),
      );
      const parent = plain.read(join(dirname(directory), "memory.swappiness"));
      if (parent !== undefined) writeFileSync(join(directory, "memory.swappiness"), parent);
      return;
    }
    const controllers = words(join(dirname(directory), "cgroup.subtree_control"));
    writeFileSync(join(directory, "cgroup.controllers"), `${controllers.join(" ")}\n`);
    writeFileSync(join(directory, "cgroup.subtree_control"), "\n");
    writeFileSync(join(directory, "cgroup.events"), "populated 0\nfrozen 0\n");
    populate(directory, [FREEZER[2].file, ...controllers.flatMap((name) => kernelFilesOf(2, name))]);
  };
  const enable = (directory: string, text: string): void => {
    const asked = text.split(" ");
    const named = (sign: string): string[] => asked.filter((word) => word.startsWith(sign)).map((word) => word.slice(1));
    const [on, off] = [named("+"), named("-")];
    const offered = words(join(directory, "cgroup.controllers"));
    if (on.some((name) => !offered.includes(name))) throw error("ENOENT", directory);
    const before = words(join(directory, "cgroup.subtree_control"));
    const after = [...new Set([...before, ...on])].filter((name) => !off.includes(name)).sort();
    writeFileSync(join(directory, "cgroup.subtree_control"), `${after.join(" ")}\n`);
    const filesOf = (names: readonly string[]): KernelFile[] => names.flatMap((name) => kernelFilesOf(2, name));
    for (const child of plain.children(directory) ?? []) {
      writeFileSync(join(directory, child, "cgroup.controllers"), `${after.join(" ")}\n`);
      for (const { name } of filesOf(off)) rmSync(join(directory, child, name), { force: true });
      populate(join(directory, child), filesOf(on.filter((name) => !before.includes(name))));
    }
  };
  const write = (path: string, text: string): void => {
    const directory = dirname(path);
    const name = basename(path);
    if (plain.children(directory) === undefined) throw error("ENOENT", path);
    if (name === "cgroup.subtree_control") enable(directory, text);
    else if (name === "cgroup.procs") writeFileSync(path, `${[...words(path), text].join("\n")}\n`);
    else if (name !== "cgroup.kill") writeValue(path, directory, name, text);
  };
  const writeValue = (path: string, directory: string, name: string, text: string): void => {
    const controllers = version === 2 ? words(join(directory, "cgroup.controllers")) : mountOf(directory).controllers;
    const file = [...controllers.flatMap((controller) => kernelFilesOf(version, controller)), FREEZER[version].file].find(
      (candidate) => candidate.name === name,
    );
    if (!file || plain.read(path) === undefined) throw error("ENOENT", path);
    const broken = breaksRule(
      version,
      directory,
      name,
      text,
      (at) => plain.read(at)?.trim(),
      (at) => plain.children(at) ?? [],
      mountOf(directory).mount,
    );
    if (broken) throw error(broken, path);
    writeFileSync(path, settled(file, text, plain.read(path) ?? ""));
    if (file.readFrom) writeFileSync(join(directory, file.readFrom), text.trim() === "FROZEN" ? "1\n" : "0\n");
  };
  return {
    ...plain,
    write,
    writeAndRead: (path, text) => {
      write(path, text);
      return plain.read(path) ?? "";
    },
    reclaim: () => Promise.resolve(),
    makeDirectory,
    removeDirectory: (directory) => {
      if ((plain.children(directory) ?? []).length > 0) throw error("EBUSY", directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** What the file reads after the write: lines merged by device, bytes rounded down to pages, lists and words as they are. */
function settled(file: KernelFile, text: string, before: string): string {
  const keyed = /^(\d+:\d+|default) (.*)$/.exec(text);
  if (!keyed) return `${file.text("", file.settle(file.entries(text)[0]?.[1] ?? text, 4096)).trim()}\n`;
  const [, device = "", value = ""] = keyed;
  const lines = new Map(file.entries(before));
  if (value === file.initial(device) && device !== "default") lines.delete(device);
  else lines.set(device, value);
  return [...lines].map(([key, line]) => `${key} ${line}\n`).join("");
}

const FIRST_PID = 1_000_000;

/** Processes on paper: they start, run until they are signalled, and are gone with this process. */
export function simulatedProcesses(files: CgroupFiles, controllers: Controllers, tree: Tree): Processes {
  const known = new Map<string, ObservedAttempt>();
  let nextPid = FIRST_PID;
  const end = (id: string, waitStatus: number): void => {
    const attempt = known.get(id);
    if (!attempt?.main || !attempt.meta) return;
    known.set(id, { ...attempt, main: { ...attempt.main, exited: true, waitStatus } });
    for (const hierarchy of controllers.all) {
      const procs = join(tree.directory(hierarchy, attempt.meta.path), "cgroup.procs");
      const pids = (files.read(procs) ?? "").split("\n").filter((pid) => pid !== "" && Number(pid) !== attempt.main?.pid);
      if (files.read(procs) !== undefined) writeFileSync(procs, pids.map((pid) => `${pid}\n`).join(""));
    }
  };
  const endAll = (path: CgroupPath, waitStatus: number): void => {
    for (const [id, { meta }] of known) if (meta?.path === path) end(id, waitStatus);
  };
  return {
    attempts: (replicas) => [...known.values()].filter(({ replica }) => !replicas || replicas.has(replica)),
    prepare: () => {},
    start: async ({ attempt: id, replica, meta, hierarchies }) => {
      const [holder, pid] = [nextPid++, nextPid++];
      for (const hierarchy of controllers.all)
        if (hierarchies.includes(hierarchy.id)) files.write(join(tree.directory(hierarchy, meta.path), "cgroup.procs"), String(pid));
      known.set(id, {
        id,
        replica: replica.id,
        meta,
        holder: { pid: holder, stopped: true },
        main: { pid, exited: false, waitStatus: 0, neverExeced: false, stage: undefined, strayed: [] },
      });
    },
    signal: async (attempt) => end(attempt, 0),
    signalAll: async (path) => endAll(path, 0),
    kill: async (path) => endAll(path, 9),
    release: async (attempt) => void known.delete(attempt),
    handle: async () => ({ ok: true }),
    hold: () => {},
    void: (attempt) => void known.delete(attempt),
    sweep: () => new Set(),
  };
}
