// Knows the groups of the benchmark, each with six limits, in every language that is needed: manifests for Holdfast,
// a configuration for cgconfigparser, a plan for the C program, and what the kernel's files must read in the end.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hierarchies } from "./hierarchies.js";

/** @typedef {{ hierarchy: import("./hierarchies.js").Hierarchy, controller: string, group: string, name: string, value: string, drifted: string }} KernelFile */

const MiB = 1024 * 1024;
const PAGES = 16 * 4096;
export const nameOf = (index) => `g${String(index).padStart(5, "0")}`;

/** None of the values is the kernel's default, and neighbours differ. */
function limitsOf(index) {
  return {
    percent: 10 + (index % 80),
    weight: 101 + (index % 99),
    memory: 64 + (index % 64),
    low: 16 + (index % 16),
    swap: 32 + (index % 32),
    pids: 64 + (index % 64),
  };
}

/** One manifest document. `pids`: another value for pids.max, for edits. */
function manifestOf(index, pids = limitsOf(index).pids) {
  const { percent, weight, memory, low, swap } = limitsOf(index);
  return `# Team ${index % 20}: what its batch jobs may use together.
apiVersion: holdfast.dev/v1alpha1
kind: LimitGroup
metadata:
  name: ${nameOf(index)}
  labels:
    team: team-${index % 20}
    tier: batch
spec:
  limits:
    # Half of what the machine has is for the services.
    cpu.max: ${percent}%
    cpu.weight: ${weight}
    memory.max: ${memory}Mi
    memory.low: ${low}Mi
    memory.swap.max: ${swap}Mi
    pids.max: ${pids}
`;
}

/** The six kernel files of a group on this machine, in an order that the kernel accepts, each with a value for drift. */
function filesOf(index, version, controller) {
  const { percent, weight, memory, low, swap, pids } = limitsOf(index);
  const plus = (value, more) => [String(value), String(value + more)];
  const files = {
    cpu: {
      1: { "cpu.shares": plus(Math.round((weight * 1024) / 100), 7), "cpu.cfs_quota_us": plus(percent * 1000, 1000) },
      2: { "cpu.weight": plus(weight, 7), "cpu.max": [`${percent * 1000} 100000`, `${percent * 1000 + 1000} 100000`] },
    },
    memory: {
      1: {
        "memory.limit_in_bytes": plus(memory * MiB, -PAGES),
        "memory.memsw.limit_in_bytes": plus((memory + swap) * MiB, PAGES),
        "memory.soft_limit_in_bytes": plus(low * MiB, PAGES),
      },
      2: { "memory.max": plus(memory * MiB, -PAGES), "memory.swap.max": plus(swap * MiB, PAGES), "memory.low": plus(low * MiB, PAGES) },
    },
    pids: { 1: { "pids.max": plus(pids, 3) }, 2: { "pids.max": plus(pids, 3) } },
  };
  return Object.entries(files[controller][version]).map(([name, [value, drifted]]) => ({ name, value, drifted }));
}

/** The hierarchies' files of `count` groups, hierarchy by hierarchy. @returns {KernelFile[]} */
export function kernelFiles(count) {
  return hierarchies().flatMap((hierarchy) =>
    Array.from({ length: count }, (_, index) =>
      hierarchy.controllers.flatMap((controller) =>
        filesOf(index, hierarchy.version, controller).map((file) => ({ ...file, hierarchy, controller, group: nameOf(index) })),
      ),
    ).flat(),
  );
}

export const placeOf = ({ hierarchy, group, name }, root) => `${hierarchy.mount}/${root}/${group}/${name}`;

/** Writes the manifests, `perFile` documents in a file. */
export function writeManifests(directory, count, perFile) {
  mkdirSync(directory, { recursive: true });
  for (let first = 0; first < count; first += perFile) {
    const documents = Array.from({ length: Math.min(perFile, count - first) }, (_, more) => manifestOf(first + more));
    writeFileSync(join(directory, `${nameOf(first)}.yaml`), documents.join("---\n"));
  }
}

/** The same for cgconfigparser(8). */
export function writeConfiguration(file, root, count) {
  const groups = new Map();
  for (const { group, controller, name, value } of kernelFiles(count)) {
    const controllers = groups.get(group) ?? new Map();
    controllers.set(controller, `${controllers.get(controller) ?? ""}    ${name} = "${value}";\n`);
    groups.set(group, controllers);
  }
  const text = [...groups].map(
    ([group, controllers]) => `group ${root}/${group} {\n${[...controllers].map(([name, values]) => `  ${name} {\n${values}  }\n`).join("")}}\n`,
  );
  writeFileSync(file, text.join(""));
}

/** The same for the C program: `H directory`, `D name`, `F name value`. */
export function writePlan(file, root, count) {
  const made = new Set();
  const lines = [];
  for (const { hierarchy, group, name, value } of kernelFiles(count)) {
    const { mount, version, controllers } = hierarchy;
    if (!made.has(mount)) {
      lines.push(`H ${mount}/${root}`);
      if (version === 2) lines.push(`F cgroup.subtree_control ${controllers.map((controller) => `+${controller}`).join(" ")}`);
    }
    if (!made.has(`${mount} ${group}`)) lines.push(`D ${group}`);
    made.add(mount).add(`${mount} ${group}`);
    lines.push(`F ${group}/${name} ${value}`);
  }
  writeFileSync(file, lines.join("\n"));
}

/** Throws unless every file has its value: a contender that did less must not look fast. */
export function verify(root, count, who) {
  for (const file of kernelFiles(count)) {
    const text = readFileSync(placeOf(file, root), "utf8").trim();
    if (text !== file.value) throw new Error(`${who}: ${placeOf(file, root)} reads ${text} instead of ${file.value}`);
  }
}
