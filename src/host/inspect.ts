/** Knows how to read of a process what says how far it is confined. Reads only; what cannot be read is unknown. */
import { existsSync, readFileSync } from "node:fs";
import type { LimitName } from "../api/limits.ts";
import { type Mount, NAMESPACES, type NamespaceKind, type ProcessFacts } from "../audit/facts.ts";
import type { Controllers } from "../cgroup/hierarchy.ts";
import { controllerOf, spellingOf } from "../cgroup/knobs.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import { linkIn, textIn } from "./optional.ts";
import { commandLineIn } from "./procfs.ts";

const SECRET = /(^|_)(PASSWORD|PASSWD|PASS|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)($|_)/i;
const SOCKETS = ["run/docker.sock", "run/containerd/containerd.sock", "run/crio/crio.sock", "run/podman/podman.sock"];

const own = new Map(NAMESPACES.map((kind) => [kind, linkIn(`/proc/self/ns/${kind}`)]));

export function inspect(pid: number, comm: string, limited: ProcessFacts["limited"], inRootCgroup: boolean | undefined): ProcessFacts {
  const file = (name: string): string => `/proc/${pid}/${name}`;
  const status = textIn(file("status"));
  const field = (name: string): string | undefined => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status ?? "")?.[1];
  const number = (value: string | undefined): number | undefined => (value === undefined ? undefined : Number(value));
  const mask = (name: string): bigint | undefined => {
    const value = field(name);
    return value === undefined ? undefined : BigInt(`0x${value}`);
  };
  return {
    pid,
    comm,
    uid: number(field("Uid")?.split("\t")[1]),
    effective: mask("CapEff"),
    bounding: mask("CapBnd"),
    seccomp: number(field("Seccomp")),
    noNewPrivileges: field("NoNewPrivs") === undefined ? undefined : field("NoNewPrivs") === "1",
    traced: field("TracerPid") === undefined ? undefined : field("TracerPid") !== "0",
    sharesNamespace: Object.fromEntries(NAMESPACES.flatMap((kind) => shared(pid, kind))),
    label: labelOf(file("attr/current")),
    mounts: mountsOf(textIn(file("mountinfo"))),
    runtimeSocket: linkIn(file("root")) === undefined ? undefined : SOCKETS.some((socket) => existsSync(file(`root/${socket}`))),
    limits: limitsOf(textIn(file("limits"))),
    oomScoreAdj: number(textIn(file("oom_score_adj"))?.trim()),
    exe: linkIn(file("exe")),
    commandLine: commandLineIn(pid),
    secretVariables: secretsIn(textIn(file("environ"))),
    inRootCgroup,
    limited,
  };
}

function shared(pid: number, kind: NamespaceKind): [NamespaceKind, boolean][] {
  const mine = own.get(kind);
  const its = linkIn(`/proc/${pid}/ns/${kind}`);
  return mine === undefined || its === undefined ? [] : [[kind, mine === its]];
}

/** Without a security module the file cannot be read (EINVAL), or is empty. */
function labelOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").replace(/[\0\n]+$/, "");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EINVAL" ? "" : undefined;
  }
}

function mountsOf(mountinfo: string | undefined): Mount[] | undefined {
  if (mountinfo === undefined || mountinfo === "") return undefined;
  return mountinfo
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [left = "", right = ""] = line.split(" - ");
      const [, , , , at = "", options = "", ...tags] = left.split(" ");
      const [type = "", , superOptions = ""] = right.split(" ");
      const writable = options.split(",").includes("rw") && superOptions.split(",").includes("rw");
      return { at, writable, type, shared: tags.some((tag) => tag.startsWith("shared:")) };
    });
}

function limitsOf(limits: string | undefined): ProcessFacts["limits"] {
  const soft = (name: string): number => {
    const value = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(limits ?? "")?.[1];
    return value === "unlimited" ? Number.POSITIVE_INFINITY : Number(value);
  };
  return limits === undefined ? undefined : { files: soft("Max open files"), processes: soft("Max processes"), core: soft("Max core file size") };
}

/** Names alone: values are nobody's business. */
const secretsIn = (environ: string | undefined): string[] | undefined =>
  environ?.split("\0").flatMap((entry) => {
    const name = entry.slice(0, Math.max(entry.indexOf("="), 0));
    return SECRET.test(name) && entry.length > name.length + 1 ? [name] : [];
  });

const KNOBS = { memory: ["memory.max"], swap: ["memory.swap.max"], cpu: ["cpu.max", "cpu.weight"], pids: ["pids.max"] } as const;

/** Whether a cgroup, or one above it, limits something; answers are remembered. `cgroups`: of a process, by hierarchy. */
export function limitFinder(files: CgroupFiles, { all }: Controllers): (cgroups: ReadonlyMap<string, string>) => ProcessFacts["limited"] {
  const known = new Map<string, boolean>();
  const isLimited = (knob: LimitName, cgroups: ReadonlyMap<string, string>): boolean | undefined => {
    const hierarchy = all.find(({ offered, version }) => offered.has(controllerOf(knob, version)));
    const path = hierarchy && cgroups.get(hierarchy.id);
    const file = hierarchy && spellingOf(knob, hierarchy.version)?.files[0];
    if (!hierarchy || path === undefined || !file) return undefined;
    for (let here = path; here !== "" && here !== "/"; here = here.slice(0, here.lastIndexOf("/"))) {
      const key = `${knob} ${here}`;
      const text = known.has(key) ? undefined : files.read(`${hierarchy.mount}${here}/${file.name}`);
      if (!known.has(key)) known.set(key, text !== undefined && (file.entries(text)[0]?.[1] ?? file.initial("")) !== file.initial(""));
      if (known.get(key)) return true;
    }
    return false;
  };
  return (cgroups) =>
    Object.fromEntries(
      Object.entries(KNOBS).flatMap(([what, knobs]) => {
        const found = knobs.map((knob) => isLimited(knob, cgroups));
        const answer = found.includes(true) ? true : found.every((one) => one === undefined) ? undefined : false;
        return answer === undefined ? [] : [[what, answer] as const];
      }),
    );
}
