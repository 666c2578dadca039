/** Knows what is mounted where for a confined workload: /proc, /sys, /dev, the host's programs, its volumes. */
import type { Confinement } from "../api/confinement.ts";
import type { ConfinementFacts } from "./engine.ts";

/** As in config.json. */
export interface Mount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** Read-only with all that is mounted below: `ro` alone leaves that writable (mount_setattr(2), AT_RECURSIVE). */
const READ_ONLY = ["rbind", "rprivate", "rro"];

const tmpfs = (destination: string, ...options: string[]): Mount => ({ destination, type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", ...options] });
const bind = (path: string, ...options: string[]): Mount => ({ destination: path, type: "bind", source: path, options: ["rbind", "rprivate", ...options] });

/** How names become addresses. */
const OF_NETWORK: ReadonlySet<string> = new Set(["/etc/hosts", "/etc/resolv.conf"]);

/** Room in /tmp where nobody says how much. */
const TMP = "size=64m";

/** `managed`: the runtime looks after the cgroup, and can show it. */
export function mountsOf(confinement: Confinement, { system }: Pick<ConfinementFacts, "system">, managed: boolean): Mount[] {
  const { volumes, namespaces, image } = confinement;
  const paths = system.filter((entry) => !("target" in entry)).map(({ path }) => path);
  // An image has all it needs, but not the host's network in it.
  const shown = image ? paths.filter((path) => !namespaces.includes("network") && OF_NETWORK.has(path)) : paths;
  return [
    ...kernels(confinement, managed && namespaces.includes("cgroup")),
    ...shown.map((path) => ({ destination: path, type: "bind", source: path, options: [...READ_ONLY, "nosuid", "nodev"] })),
    ...(image || volumes.some(({ mountPath }) => mountPath === "/tmp") ? [] : [tmpfs("/tmp", "mode=1777", TMP)]),
    ...volumes.map((volume): Mount => {
      const { mountPath: destination, readOnly } = volume;
      if ("size" in volume) return tmpfs(destination, `mode=${volume.mode}`, `size=${volume.size}`, ...(readOnly ? ["ro"] : []));
      const options = [...(readOnly ? READ_ONLY : ["rbind", "rprivate", "rw"]), "nodev", ...(volume.idmap ? ["idmap"] : [])];
      return { destination, type: "bind", source: volume.hostPath, options };
    }),
  ];
}

/** The file systems through which the kernel speaks. */
function kernels({ namespaces, userNamespace, privileged }: Confinement, cgroups: boolean): Mount[] {
  const own = (name: (typeof namespaces)[number]): boolean => namespaces.includes(name);
  // A user namespace may mount only what it has a namespace of its own for.
  const mapped = userNamespace !== undefined;
  const [safe, access] = [["nosuid", "noexec", "nodev"], privileged ? "rw" : "ro"];
  return [
    mapped && !own("pid") ? bind("/proc") : { destination: "/proc", type: "proc", source: "proc", options: safe },
    ...(privileged
      ? [bind("/dev")]
      : [
          { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=64k"] },
          { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
          own("ipc") ? tmpfs("/dev/shm", "noexec", "mode=1777", "size=64m") : bind("/dev/shm"),
          own("ipc") ? { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: safe } : bind("/dev/mqueue"),
        ]),
    mapped && !own("network")
      ? { destination: "/sys", type: "bind", source: "/sys", options: [...READ_ONLY, ...safe] }
      : { destination: "/sys", type: "sysfs", source: "sysfs", options: [...safe, access] },
    ...(cgroups ? [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...safe, "relatime", "ro"] }] : []),
  ];
}
