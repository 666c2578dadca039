/** Knows how the fields about confinement become one description of it: defaults filled in, contradictions reported. */
import { CAPABILITIES, type Capability, DOCKERS } from "../api/capabilities.ts";
import { type Confinement, type Image, type ImageField, type Namespace, PRIVILEGED_ANNOTATION, type Volume } from "../api/confinement.ts";
import type { Report } from "../api/problem.ts";
import { parseBytes } from "../api/quantity.ts";
import type { Workload } from "../api/schema.ts";

type Spec = Workload["spec"];
type SecurityContext = NonNullable<Spec["securityContext"]>;

const NAMESPACES: readonly Namespace[] = ["pid", "mount", "network", "ipc", "uts", "cgroup"];

/** What Docker hides of /proc and /sys: kernel memory, keys, timers, firmware. */
const MASKED = [
  ...["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi"],
  ...["/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"],
];
const READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** Undefined: a plain process of the host. */
export function confinement(spec: Spec, annotations: Readonly<Record<string, string>>, report: Report): Confinement | undefined {
  const { confined = false, securityContext, namespaces, hostname, volumes = [], devices = [] } = spec;
  if (!confined && [securityContext, namespaces, hostname, spec.volumes, spec.devices, spec.image].every((field) => field === undefined)) return undefined;
  const context = securityContext ?? {};
  const { privileged = false, seccompProfile, readOnlyRootFilesystem = false, runAsNonRoot = false } = context;
  const own = new Set(NAMESPACES.filter((name) => (namespaces?.[name] ?? (confined ? "Private" : "Host")) === "Private"));
  if (privileged && annotations[PRIVILEGED_ANNOTATION] !== "true")
    report(
      "InvalidValue",
      "/spec/securityContext/privileged",
      "expected false: a privileged workload can do all that root can do on this host",
      `if that is meant, say so: metadata: {annotations: {${PRIVILEGED_ANNOTATION}: "true"}}`,
    );
  if (privileged && context.allowPrivilegeEscalation === false)
    report("InvalidValue", "/spec/securityContext/allowPrivilegeEscalation", "expected true: a privileged workload has all privileges from the start");
  checkNamespaces(spec, own, report);
  checkProfiles(context, report);
  checkProbes(spec, own, report);
  if (typeof spec.logs === "string")
    report("InvalidValue", "/spec/logs", "expected files: the output of a container cannot go to the journal", "leave logs away, or write {maxSize: …}");
  const shielded = confined && !privileged && context.procMount !== "Unmasked" && own.has("mount");
  const user = namespaces?.user;
  const made = volumes.map((volume, index) => volumeOf(volume, index, report));
  checkVolumes(volumes, user !== undefined, report);
  for (const [index, { path }] of devices.entries())
    if (!/^\/dev\/[^/]/.test(path) || path.split("/").includes(".."))
      report("InvalidValue", `/spec/devices/${index}/path`, `expected a device below /dev, found ${path}`);
  return {
    privileged,
    ...capabilities(context, confined, privileged),
    noNewPrivileges: context.allowPrivilegeEscalation === false,
    runAsNonRoot,
    readOnlyRoot: readOnlyRootFilesystem,
    maskedPaths: [...(shielded ? MASKED : []), ...(context.maskedPaths ?? [])],
    readonlyPaths: [...(shielded ? READONLY : []), ...(context.readonlyPaths ?? [])],
    seccomp:
      seccompProfile?.type === "Localhost"
        ? { type: "Localhost", file: seccompProfile.localhostProfile ?? "" }
        : { type: seccompProfile?.type ?? (confined && !privileged ? "RuntimeDefault" : "Unconfined") },
    logSeccomp: seccompProfile?.log ?? false,
    appArmor: context.appArmorProfile?.type === "Localhost" ? context.appArmorProfile.localhostProfile : undefined,
    seLinux: context.seLinuxOptions && label(context.seLinuxOptions),
    namespaces: [...own],
    userNamespace: user && { uidMappings: user.uidMappings, gidMappings: user.gidMappings ?? user.uidMappings },
    hostname,
    // A volume inside of another is mounted after it.
    volumes: made.sort((one, other) => one.mountPath.split("/").length - other.mountPath.split("/").length),
    devices: devices.map(({ path, access = "rw" }) => ({ path, access })),
    image: spec.image && imageOf(spec, spec.image, confined && own.has("mount"), report),
  };
}

function capabilities({ capabilities: { drop = [], add = [] } = {} }: SecurityContext, confined: boolean, privileged: boolean) {
  const all = (names: readonly (Capability | "ALL")[]): readonly Capability[] => (names.includes("ALL") ? CAPABILITIES : (names as readonly Capability[]));
  if (privileged) return { capabilities: CAPABILITIES, added: [] };
  const base: readonly Capability[] = confined ? DOCKERS : CAPABILITIES;
  const kept = new Set([...base.filter((name) => !all(drop).includes(name)), ...all(add)]);
  return { capabilities: CAPABILITIES.filter((name) => kept.has(name)), added: add.filter((name) => name !== "ALL") };
}

function label({ user = "system_u", role = "system_r", type = "container_t", level = "s0" }: NonNullable<SecurityContext["seLinuxOptions"]>): string {
  return `${user}:${role}:${type}:${level}`;
}

const NEEDS_MOUNT = "write confined: true, or namespaces: {mount: Private}";

/** What makes no sense, or harm, without a namespace: an engine would mount over the host's own files. */
function checkNamespaces(spec: Spec, own: ReadonlySet<Namespace>, report: Report): void {
  const { namespaces, securityContext = {}, volumes = [], devices = [], hostname } = spec;
  const written: readonly (readonly [pointer: string, there: boolean])[] = [
    ["/spec/securityContext/readOnlyRootFilesystem", securityContext.readOnlyRootFilesystem === true],
    ["/spec/securityContext/maskedPaths", (securityContext.maskedPaths ?? []).length > 0],
    ["/spec/securityContext/readonlyPaths", (securityContext.readonlyPaths ?? []).length > 0],
    ["/spec/volumes", volumes.length > 0],
    ["/spec/devices", devices.length > 0],
    ["/spec/namespaces/pid", own.has("pid")],
    ["/spec/namespaces/user", namespaces?.user !== undefined],
  ];
  for (const [pointer, there] of written)
    if (there && !own.has("mount"))
      report("InvalidValue", pointer, "expected a private mount namespace beside it: the mounts would be the host's", NEEDS_MOUNT);
  if (hostname !== undefined && !own.has("uts"))
    report("InvalidValue", "/spec/hostname", "expected a private uts namespace beside it: the host's own name would change", "namespaces: {uts: Private}");
  checkMappings(spec, report);
}

/** One more than the largest id: the kernel keeps that for itself. */
const IDS = 2 ** 32 - 1;

function checkMappings({ namespaces, user: declared }: Spec, report: Report): void {
  const { user } = namespaces ?? {};
  for (const kind of ["uidMappings", "gidMappings"] as const) {
    const ranges = user?.[kind] ?? [];
    const pointer = `/spec/namespaces/user/${kind}`;
    if (ranges.length > 0 && !ranges.some(({ containerID }) => containerID === 0))
      report("InvalidValue", pointer, "expected a range with containerID: 0: the runtime sets the container up as root inside");
    for (const [index, { containerID, hostID, size: count }] of ranges.entries())
      if (Math.max(containerID, hostID) + count > IDS)
        report("InvalidValue", `${pointer}/${index}/size`, `expected ids up to ${IDS - 1}, found ${Math.max(containerID, hostID) + count - 1}`);
    if (
      kind === "uidMappings" &&
      ranges.length > 0 &&
      typeof declared === "number" &&
      !ranges.some(({ containerID, size: count }) => declared >= containerID && declared < containerID + count)
    )
      report("InvalidValue", "/spec/user", `expected a user of the ranges of namespaces.user, found ${declared}`);
    for (const [index, range] of ranges.entries())
      for (const side of ["containerID", "hostID"] as const)
        if (ranges.slice(0, index).some((other) => range[side] < other[side] + other.size && other[side] < range[side] + range.size))
          report("InvalidValue", `/spec/namespaces/user/${kind}/${index}/${side}`, "expected ranges that do not overlap");
  }
}

function checkProfiles({ seccompProfile, appArmorProfile }: SecurityContext, report: Report): void {
  for (const [name, profile] of [
    ["seccompProfile", seccompProfile],
    ["appArmorProfile", appArmorProfile],
  ] as const) {
    if (!profile || (profile.type === "Localhost") === (profile.localhostProfile !== undefined)) continue;
    const pointer = `/spec/securityContext/${name}`;
    if (profile.type === "Localhost") report("MissingField", pointer, "expected localhostProfile beside type: Localhost");
    else report("InvalidValue", `${pointer}/localhostProfile`, `expected type: Localhost beside it, found ${profile.type}`);
  }
  if (seccompProfile?.log && seccompProfile.type === "Unconfined")
    report("InvalidValue", "/spec/securityContext/seccompProfile/log", "expected a profile that blocks something, found type: Unconfined");
}

/** Probes are asked from outside: a private network answers nobody there. */
function checkProbes(spec: Spec, own: ReadonlySet<Namespace>, report: Report): void {
  if (!own.has("network")) return;
  const asked = [
    ...(["startupProbe", "livenessProbe", "readinessProbe"] as const).map((which) => [`/spec/${which}`, spec[which]] as const),
    ...(["postStart", "preStop"] as const).map((which) => [`/spec/lifecycle/${which}`, spec.lifecycle?.[which]] as const),
  ];
  for (const [pointer, handler] of asked)
    for (const way of ["httpGet", "tcpSocket"] as const)
      if (handler?.[way])
        report(
          "InvalidValue",
          `${pointer}/${way}`,
          "expected exec: the workload has a network of its own, which nothing outside of it can reach",
          "or write namespaces: {network: Host}",
        );
}

function imageOf(
  spec: Spec,
  { layout, archive, digest, verify, writableSize = "256Mi" }: NonNullable<Spec["image"]>,
  confined: boolean,
  report: Report,
): Image {
  const pointer = "/spec/image";
  if (!confined) report("InvalidValue", pointer, "expected confined: true beside it, and a private mount namespace");
  if ((layout === undefined) === (archive === undefined))
    report("InvalidValue", pointer, `expected one of layout and archive, found ${layout === undefined ? "none" : "both"}`);
  const written: readonly (readonly [ImageField, boolean])[] = [
    ["entrypoint", spec.command !== undefined],
    ["cmd", spec.command !== undefined || spec.args !== undefined],
    ["workingDir", spec.workingDir !== undefined],
    ["user", spec.user !== undefined],
  ];
  const takes = written.flatMap(([field, there]) => (there ? [] : [field]));
  const common = { digest, verify, writable: size(`${pointer}/writableSize`, writableSize, report), takes };
  return layout === undefined ? { ...common, archive: archive ?? "" } : { ...common, layout };
}

/** Bytes, more than none. */
function size(pointer: string, written: string | number, report: Report): string {
  const parsed = parseBytes(written);
  if ("ok" in parsed && parsed.ok !== "max" && Number(parsed.ok) > 0) return String(parsed.ok);
  report("InvalidValue", pointer, `expected ${"bad" in parsed ? parsed.bad : "a size"}, found ${written}`, "bad" in parsed ? parsed.hint : undefined);
  return "0";
}

function volumeOf(volume: NonNullable<Spec["volumes"]>[number], index: number, report: Report): Volume {
  const { hostPath, tmpfs, mountPath, readOnly = false, idmap = false } = volume;
  const pointer = `/spec/volumes/${index}`;
  if ((hostPath === undefined) === (tmpfs === undefined))
    report("InvalidValue", pointer, `expected one of hostPath and tmpfs, found ${hostPath === undefined ? "none" : "both"}`);
  if (hostPath !== undefined) return { mountPath, readOnly, hostPath, idmap };
  const { size: written = "64Mi", mode = "1777" } = tmpfs ?? {};
  return { mountPath, readOnly, size: size(`${pointer}/tmpfs/size`, written, report), mode };
}

/** Where the engine itself mounts. */
const TAKEN = /^\/(proc|sys|dev)(\/|$)/;

function checkVolumes(volumes: NonNullable<Spec["volumes"]>, mapped: boolean, report: Report): void {
  const paths = volumes.map(({ mountPath }) => mountPath);
  for (const [index, { mountPath, hostPath, idmap }] of volumes.entries()) {
    const pointer = `/spec/volumes/${index}`;
    if (mountPath !== "/" && /\/$|\/\//.test(mountPath))
      report("InvalidValue", `${pointer}/mountPath`, `expected a path without a slash at its end, or two together, found ${mountPath}`);
    for (const [field, path] of [["mountPath", mountPath] as const, ["hostPath", hostPath] as const])
      if (path?.split("/").some((part) => part === "..")) report("InvalidValue", `${pointer}/${field}`, "expected a path without ..");
    if (mountPath === "/" || TAKEN.test(mountPath))
      report("InvalidValue", `${pointer}/mountPath`, `expected a path other than / and outside of /proc, /sys and /dev, found ${mountPath}`);
    if (paths.indexOf(mountPath) < index) report("InvalidValue", `${pointer}/mountPath`, `expected each mountPath once, found ${mountPath} again`);
    if (idmap && !mapped) report("InvalidValue", `${pointer}/idmap`, "expected namespaces: {user: …} beside it: there is nothing to map");
  }
}
