// Knows where this machine has its cpu, memory and pids controllers: cgroup v1, v2 or a mix, from /proc/self/mountinfo.
import { existsSync, readFileSync } from "node:fs";

/** @typedef {{ controllers: string[], mount: string, version: 1 | 2 }} Hierarchy */

const WANTED = ["cpu", "memory", "pids"];

const mounts = readFileSync("/proc/self/mountinfo", "utf8")
  .split("\n")
  .flatMap((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const [type, , options = ""] = right.split(" ");
    const mount = (left.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (type === "cgroup") return [{ version: 1, mount, names: options.split(",") }];
    if (type === "cgroup2") return [{ version: 2, mount, names: words(`${mount}/cgroup.controllers`) }];
    return [];
  });

function words(file) {
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ") : [];
}

/** Every mounted hierarchy: where Holdfast may make its root. */
export const allMounts = [...new Set(mounts.map(({ mount }) => mount))];

/** The hierarchies that carry the limits of the benchmark; v1 where it has the controller, as Holdfast chooses. */
export function hierarchies() {
  /** @type {Map<string, Hierarchy>} */
  const found = new Map();
  for (const controller of WANTED) {
    const has = (version) => mounts.find((mount) => mount.version === version && mount.names.includes(controller));
    const place = has(1) ?? has(2);
    if (!place) throw new Error(`this kernel offers no ${controller} controller to cgroups`);
    if (place.version === 2 && !words(`${place.mount}/cgroup.subtree_control`).includes(controller))
      throw new Error(`${place.mount}/cgroup.subtree_control lacks ${controller}: enable it, or run where it is enabled`);
    const known = found.get(place.mount) ?? { controllers: [], mount: place.mount, version: place.version };
    known.controllers.push(controller);
    found.set(place.mount, known);
  }
  return [...found.values()];
}
