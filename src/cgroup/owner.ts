/** Knows by a cgroup's path who looks after it: systemd, a container runtime, the kubelet, or nobody that can be told. */

export interface Owner {
  readonly kind: "systemd" | "runtime" | "kubelet" | "unknown";
  /** `the systemd unit cron.service`. */
  readonly words: string;
  /** Of systemd: the unit's name. */
  readonly unit?: string;
}

const KUBELET = /^kubepods\b/;
/** Docker's, podman's, CRI-O's and containerd's cgroups, under both of their drivers; LXC's and systemd-nspawn's. */
const RUNTIMES: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^docker(-[0-9a-f]{12,}\.scope)?$/, "Docker"],
  [/^(libpod[-_]|user-libpod)/, "podman"],
  [/^crio-/, "CRI-O"],
  [/^(cri-containerd|containerd|nerdctl)[-.]/, "containerd"],
  [/^(lxc|lxc\.payload\b.*|lxc\.monitor\b.*)$/, "LXC"],
  [/^(machine\.slice|machine-.*\.scope)$/, "a machine manager"],
  [/^buildkit$/, "BuildKit"],
];
const UNIT = /^[^/]+\.(service|scope|slice|socket|mount|swap)$/;

/** `path` below a hierarchy's mount. Undefined for the root cgroup. `systemd`: it is PID 1, so that what has a unit's name is one. */
export function ownerOf(path: string, systemd: boolean): Owner | undefined {
  const parts = path.split("/").filter(Boolean);
  if (parts.length === 0) return undefined;
  if (parts.some((part) => KUBELET.test(part))) return { kind: "kubelet", words: "the kubelet" };
  for (const part of parts) for (const [pattern, name] of RUNTIMES) if (pattern.test(part)) return { kind: "runtime", words: name };
  // The innermost unit: what a unit makes below its own cgroup has names of its own.
  const unit = systemd ? parts.findLast((part) => UNIT.test(part)) : undefined;
  if (unit !== undefined) return { kind: "systemd", words: `the systemd unit ${unit}`, unit };
  return { kind: "unknown", words: `whoever made the cgroup ${parts.join("/")}` };
}
