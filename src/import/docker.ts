/** Knows the flags of `docker run`, and how they become a Workload (or, where the command is not known, a LimitGroup). */
import { parseArgs } from "node:util";
import { dockerLimits } from "./dockerLimits.ts";
import { type DraftObject, draft, type Imported, Names, NotImportable } from "./draft.ts";

/** Flags with a value; `*`: it may be given more than once. Those that stand nowhere else here are told to be left out. */
const VALUES = `add-host* annotation* attach* blkio-weight blkio-weight-device* cap-add* cap-drop* cgroup-parent cgroupns cidfile cpu-period cpu-quota cpu-rt-period cpu-rt-runtime
cpu-shares cpus cpuset-cpus cpuset-mems detach-keys device* device-cgroup-rule* device-read-bps* device-read-iops* device-write-bps* device-write-iops* dns* dns-option* dns-search* domainname
entrypoint env* env-file* expose* gpus group-add* health-cmd health-interval health-retries health-start-period health-timeout hostname ip ip6 ipc isolation label* label-file* link*
link-local-ip* log-driver log-opt* mac-address memory memory-reservation memory-swap memory-swappiness mount* name network* network-alias* net* oom-score-adj pid pids-limit platform publish* pull
restart runtime security-opt* shm-size stop-signal stop-timeout storage-opt* sysctl* tmpfs* ulimit* user userns uts volume* volume-driver volumes-from* workdir`;
const SHORT: Readonly<Record<string, string>> = {
  m: "memory",
  c: "cpu-shares",
  e: "env",
  v: "volume",
  u: "user",
  w: "workdir",
  h: "hostname",
  p: "publish",
  l: "label",
  a: "attach",
};
const FLAGS = [
  "detach",
  "disable-content-trust",
  "init",
  "interactive",
  "no-healthcheck",
  "oom-kill-disable",
  "privileged",
  "publish-all",
  "read-only",
  "rm",
  "sig-proxy",
  "tty",
];
const SHORT_FLAGS: Readonly<Record<string, string>> = { d: "detach", i: "interactive", t: "tty", P: "publish-all" };
/** Say nothing that a host's workload needs. */
const SILENT = new Set(["detach", "rm", "name", "pull", "platform", "sig-proxy", "interactive", "cgroupns"]);

type Given = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

/** The words behind `docker run`: flags, image, command. */
function parse(words: readonly string[]): { readonly given: Given; readonly image: string; readonly command: readonly string[] } {
  const options: Record<string, { type: "string" | "boolean"; multiple?: boolean; short?: string }> = {};
  for (const word of VALUES.split(/\s+/)) options[word.replace("*", "")] = { type: "string", multiple: word.endsWith("*") };
  for (const flag of FLAGS) options[flag] = { type: "boolean" };
  for (const [short, long] of [...Object.entries(SHORT), ...Object.entries(SHORT_FLAGS)]) options[long] = { ...(options[long] ?? { type: "string" }), short };
  // Behind the image every word is the command's.
  for (let end = 1; end <= words.length; end++) {
    try {
      const { values, positionals } = parseArgs({ args: withNegatives(words.slice(0, end)), options, allowPositionals: true, strict: true });
      if (positionals.length === 0) continue;
      return { given: values as Given, image: positionals[0] ?? "", command: words.slice(end) };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // Cut off before the value of a flag: the next word may be that.
      if (code === "ERR_PARSE_ARGS_INVALID_OPTION_VALUE" && end < words.length) continue;
      throw new NotImportable(`docker run: ${message.split(". ")[0]}`);
    }
  }
  throw new NotImportable("docker run: expected an image");
}

/** `--memory-swap -1` is a value to Docker, and one more flag to others. */
function withNegatives(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    const before = joined.at(-1);
    if (before !== undefined && /^--[a-z-]+$|^-[a-z]$/.test(before) && /^-\d/.test(word))
      joined.push(`${joined.pop()}${before.startsWith("--") ? "=" : ""}${word}`);
    else joined.push(word);
  }
  return joined;
}

const listOf = (value: Given[string]): string[] => (value === undefined ? [] : [value].flat().map(String));
const textOf = (value: Given[string]): string | undefined => (value === undefined ? undefined : String(value));

const RESTARTS: Readonly<Record<string, string>> = { no: "Never", always: "Always", "unless-stopped": "Always", "on-failure": "OnFailure" };

export function dockerRunToObjects(words: readonly string[]): Imported {
  const run = words[0] === "docker" ? words.slice(1) : words;
  const { given, image, command } = parse(run[0] === "run" ? run.slice(1) : run);
  const notes: string[] = [];
  const used = new Set<string>(SILENT);
  const take = (flag: string): Given[string] => {
    used.add(flag);
    return given[flag];
  };
  const leaveOut = (): void => {
    for (const flag of Object.keys(given)) if (!used.has(flag)) notes.push(`--${flag} is left out`);
  };
  const one = (flag: string): string | undefined => textOf(take(flag));
  const all = (flag: string): string[] => listOf(take(flag));
  const name = new Names().make(one("name") ?? image.replace(/[:@].*$/, "").replace(/^.*\//, ""));
  const limits = dockerLimits((flag) => all(flag), notes);
  const entrypoint = one("entrypoint");
  if (command.length === 0 && entrypoint === undefined) {
    notes.push(`the command of ${image} is not known here: only its limits come out; say the command behind the image to have a Workload`);
    leaveOut();
    return { objects: [draft("LimitGroup", name, { limits })], notes };
  }
  notes.push(
    `the image ${image}: put it into a layout (docker save ${image} | holdfast image import …), and its digest under spec.image; without it the host's own programs are there`,
  );
  const spec: Record<string, unknown> = { confined: true, command: entrypoint === undefined ? [...command] : [entrypoint, ...command] };
  const set = (field: string, value: unknown): void => {
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) spec[field] = value;
  };
  if (Object.keys(limits).length > 0) set("limits", limits);
  identity(one, all, set);
  const env = all("env").map((pair) => ({ name: pair.split("=")[0], value: pair.includes("=") ? pair.slice(pair.indexOf("=") + 1) : "" }));
  for (const { name: variable, value } of env) if (value === "" && variable) notes.push(`the variable ${variable} has no value here`);
  set("env", env);
  set(
    "envFrom",
    all("env-file").map((file) => ({ file })),
  );
  set("workingDir", one("workdir"));
  set("hostname", one("hostname"));
  const [restart = "", retries] = (one("restart") ?? "no").split(":");
  if (RESTARTS[restart] === undefined) notes.push(`--restart ${restart} is left out: it is none of ${Object.keys(RESTARTS).join(", ")}`);
  if (retries !== undefined) notes.push(`--restart ${restart}:${retries}: the number is left out (spec.maxRestarts counts within a time)`);
  set("restartPolicy", RESTARTS[restart] ?? "Never");
  set("stopSignal", signalOf(one("stop-signal")));
  set("terminationGracePeriodSeconds", one("stop-timeout") === undefined ? 10 : Number(one("stop-timeout")));
  security(take, all, set, notes);
  places(one, all, set, notes);
  leaveOut();
  return { objects: [draft("Workload", name, spec)] as DraftObject[], notes };
}

type One = (flag: string) => string | undefined;
type All = (flag: string) => string[];
type Setter = (field: string, value: unknown) => void;

const account = (text: string): string | number => (/^\d+$/.test(text) ? Number(text) : text);
const signalOf = (text: string | undefined): string | undefined => (text === undefined ? undefined : text.startsWith("SIG") ? text : `SIG${text}`);

function identity(one: One, all: All, set: Setter): void {
  const [user, group] = (one("user") ?? "").split(":");
  if (user) set("user", account(user));
  if (group) set("group", account(group));
  set("supplementaryGroups", all("group-add").map(account));
  const score = one("oom-score-adj");
  if (score !== undefined) set("oomScoreAdj", Number(score));
  set(
    "rlimits",
    all("ulimit").map((text) => {
      const [type = "", values = ""] = text.split("=");
      const [soft = "", hard = soft] = values.split(":");
      const limit = (value: string): string | number => (value === "-1" ? "unlimited" : Number(value));
      return { type: `RLIMIT_${type.toUpperCase()}`, soft: limit(soft), hard: limit(hard) };
    }),
  );
}

function security(take: (flag: string) => Given[string], all: All, set: Setter, notes: string[]): void {
  const context: Record<string, unknown> = {};
  const bare = (names: readonly string[]): string[] => names.map((name) => name.toUpperCase().replace(/^CAP_/, ""));
  const [add, drop] = [bare(all("cap-add")), bare(all("cap-drop"))];
  if (add.length + drop.length > 0) context["capabilities"] = { ...(drop.length > 0 ? { drop } : {}), ...(add.length > 0 ? { add } : {}) };
  if (take("read-only") === true) context["readOnlyRootFilesystem"] = true;
  if (take("privileged") === true) notes.push("--privileged is left out: say securityContext: {privileged: true} and its annotation by hand, if it must be");
  for (const option of all("security-opt")) {
    const [key = "", value = ""] = [option.split(/[=:]/)[0], option.slice(option.search(/[=:]/) + 1)];
    if (key === "no-new-privileges") context["allowPrivilegeEscalation"] = value === "false";
    else if (key === "seccomp") context["seccompProfile"] = value === "unconfined" ? { type: "Unconfined" } : { type: "Localhost", localhostProfile: value };
    else if (key === "apparmor") context["appArmorProfile"] = value === "unconfined" ? { type: "Unconfined" } : { type: "Localhost", localhostProfile: value };
    else notes.push(`--security-opt ${option} is left out`);
  }
  if (Object.keys(context).length > 0) set("securityContext", context);
}

function places(one: One, all: All, set: Setter, notes: string[]): void {
  const volumes: Record<string, unknown>[] = [];
  for (const volume of all("volume")) {
    const [hostPath = "", mountPath, mode = ""] = volume.split(":");
    if (mountPath === undefined || !hostPath.startsWith("/")) notes.push(`--volume ${volume} is left out: it is a volume of Docker's`);
    else volumes.push({ hostPath, mountPath, ...(mode.split(",").includes("ro") ? { readOnly: true } : {}) });
  }
  for (const mount of all("tmpfs")) {
    const [mountPath = "", options = ""] = mount.split(":");
    const bytes = /size=(\d+)([kmg]?)/i.exec(options);
    volumes.push({ tmpfs: bytes ? { size: `${bytes[1]}${bytes[2] ? `${bytes[2].toUpperCase()}i` : ""}` } : {}, mountPath });
  }
  set("volumes", volumes);
  set(
    "devices",
    all("device").map((device) => {
      const [path = "", inside = path, access] = device.split(":");
      if (inside.startsWith("/") && inside !== path) notes.push(`--device ${device}: it has its own name, ${path}, in the workload as well`);
      return { path, ...(access === undefined ? {} : { access }) };
    }),
  );
  const namespaces: Record<string, string> = {};
  const network = [...all("network"), ...all("net")].at(-1);
  if (network === "host") namespaces["network"] = "Host";
  else if (network !== "none") notes.push("the network is the workload's own, and empty: Docker's bridge has no counterpart; network: Host is the host's");
  for (const [flag, kind] of [
    ["pid", "pid"],
    ["ipc", "ipc"],
    ["uts", "uts"],
  ] as const)
    if (one(flag) === "host") namespaces[kind] = "Host";
  if (one("userns") === "host") notes.push("--userns host is how it is without a user namespace");
  if (Object.keys(namespaces).length > 0) set("namespaces", namespaces);
  for (const port of all("publish")) notes.push(`--publish ${port} is left out: with network: Host the port is the host's`);
}
