/** Knows how to find out what this machine is: mounted hierarchies, what they offer below our root, page size, facts that manifests ask for. */
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseEnv } from "node:util";
import { type CgroupMount, type Controllers, controllersOf, type Hierarchy, parseMounts, UNIFIED } from "../cgroup/hierarchy.ts";
import { INHERITED_V1 } from "../cgroup/knobs.ts";
import { type EnvFileFact, type Machine, type Mentions, tablesOf } from "../cgroup/machine.ts";
import { findAccount } from "./accounts.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import { findDevice } from "./devices.ts";
import { confinementFacts } from "./engine.ts";
import { findCgroups } from "./findCgroups.ts";
import { bootId } from "./procfs.ts";
import { NotReadable, readRegular } from "./regular.ts";

/** The lasting part of a machine: what does not depend on the manifests. */
export type Base = Omit<Machine, "governed" | "devices" | "envFiles" | "accounts" | "confinement">;

const words = (text: string | undefined): string[] => (text ?? "").split(/\s+/).filter(Boolean);

/** Looks at the mounted hierarchies; undefined when there is none. */
export function probe(files: CgroupFiles, root: string, mountinfo = readFileSync("/proc/self/mountinfo", "utf8")): Base | undefined {
  const controllers = controllersOf(parseMounts(mountinfo).map((mount) => hierarchyOf(files, mount, root)));
  if (!controllers) return undefined;
  return {
    controllers,
    pageSize: pageSize(),
    tables: tablesOf(controllers),
    inherited: inheritedValues(files, controllers),
    bootId: bootId(),
    systemd: existsSync("/run/systemd/system"),
    noMembers: process.geteuid?.() === 0 ? undefined : "processes that it has not started can be moved only by a controller that is root",
    noGoverning: process.geteuid?.() === 0 ? undefined : "cgroups of others can be governed only by a controller that is root",
    uid: process.geteuid?.() ?? 0,
  };
}

function hierarchyOf(files: CgroupFiles, { version, mount, outer, options }: CgroupMount, root: string): Hierarchy {
  if (version === 1) return { id: options.join(","), version, mount, outer, controllers: new Set(options), offered: new Set(options) };
  const offered = new Set(words(files.read(`${mount}/cgroup.controllers`)));
  // What the nearest existing cgroup on the way to our root has, or will hand down to it.
  let handedDown = files.read(`${mount}/${root}/cgroup.controllers`);
  for (let above = dirname(root); handedDown === undefined; above = dirname(above)) {
    handedDown = files.read(`${mount}/${above}/cgroup.subtree_control`);
    if (above === "." || above === "/") break;
  }
  return { id: UNIFIED, version, mount, outer, offered, controllers: new Set(words(handedDown)) };
}

function inheritedValues(files: CgroupFiles, { all }: Controllers): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const { version, offered, mount } of all) {
    if (version !== 1) continue;
    for (const { file, controller } of INHERITED_V1) {
      const text = offered.has(controller) ? files.read(`${mount}/${file}`) : undefined;
      if (text !== undefined) values.set(file, text.trim());
    }
  }
  return values;
}

const AT_PAGESZ = 6;

/** The page size, from the auxiliary vector (getauxval(3)): Node has no call for it. */
function pageSize(): number {
  try {
    const vector = readFileSync("/proc/self/auxv");
    for (let at = 0; at + 16 <= vector.length; at += 16) if (Number(vector.readBigUInt64LE(at)) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
  } catch {
    // not Linux: the simulated host
  }
  return 4096;
}

/** Looks up what the manifests mention. */
export function lookUp(base: Base, root: string, { governed, devices, envFiles, accounts, seccompProfiles }: Mentions): Machine {
  return {
    ...base,
    governed: new Map([...governed].map((glob) => [glob, findCgroups(base.controllers, root, glob)])),
    devices: new Map([...devices].map((name) => [name, findDevice(name)])),
    envFiles: new Map([...envFiles].map((file) => [file, envFile(file)])),
    accounts: new Map([...accounts].map((name) => [name, findAccount(name)])),
    confinement: seccompProfiles && confinementFacts(base.controllers, seccompProfiles),
  };
}

const LARGEST_ENV_FILE = 256 * 1024;

/** NAME=value lines, as Node, docker and systemd read them. */
function envFile(file: string): EnvFileFact {
  try {
    const text = readRegular(file, LARGEST_ENV_FILE).toString("utf8");
    const variables = Object.entries(parseEnv(text) as Record<string, string>);
    const odd = variables.find(([name, value]) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes("\0"));
    return odd ? { problem: `expected NAME=value lines, found the name ${odd[0]}` } : { variables };
  } catch (error) {
    if (!(error instanceof NotReadable)) throw error;
    return error.code === "ENOENT" ? undefined : { problem: error.message };
  }
}
