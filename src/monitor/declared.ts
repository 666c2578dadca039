/**
 * Knows what the manifests declare, without a word of the controller: the monitor reads them itself. Their YAML is parsed by a process that has no privilege and talks to
 * nobody else (parser.ts); what comes of that is validated here.
 */
import { join } from "node:path";
import type { EnvFileFact, Machine } from "../cgroup/machine.ts";
import type { ManifestSource } from "../host/guardedManifests.ts";
import type { Host } from "../host/host.ts";
import type { Look } from "../host/manifestFiles.ts";
import { readJson, replaceFile } from "../host/records.ts";
import { type User, whyUntrusted } from "../host/trust.ts";
import { type FileContent, type ReadFile, readDocument } from "../manifest/read.ts";
import { desire, mentions } from "../plan/desire.ts";
import type { Desired } from "../plan/desired.ts";
import { factsFor, sameFacts } from "../reconcile/facts.ts";
import { type LastInForce, ManifestSet } from "../reconcile/manifests.ts";
import { lastInForce, type State } from "../reconcile/state.ts";
import type { Parse, ParsedFile } from "./parser.ts";
import { type Allowed, commandsOf } from "./permit.ts";

interface Options {
  readonly host: Host;
  /** The manifest directory, or file. */
  readonly files: ManifestSource;
  /** Where the monitor keeps what is its own. */
  readonly ownDirectory: string;
  /** Who must not be able to change manifests. */
  readonly user: User;
  readonly parse: Parse;
  readonly warn: (message: string) => void;
}

/** Between two looks that nothing asks for, ms. */
const RECENT = 1000;

export class Declared {
  desired: Desired = { cgroups: new Map(), replicas: new Map(), members: [], resources: new Map(), problems: [], held: true };
  machine: Machine;
  /** The commands of hooks and probes that were ever declared for a workload: what runs may be of an earlier revision. */
  readonly commands = new Map<string, Map<string, Allowed>>();
  private readonly options: Options;
  private readonly files: ManifestSource;
  private readonly set: ManifestSet;
  private readonly parsed = new WeakMap<FileContent, ParsedFile>();
  private readonly told = new Set<string>();
  private readonly memory: string;
  private looked = 0;

  constructor(options: Options) {
    const { host, files, ownDirectory } = options;
    this.options = options;
    this.files = files;
    this.memory = join(ownDirectory, "declared.json");
    const before = this.before();
    this.set = new ManifestSet(files.path, { before, read: (content, previous) => this.read(content, previous) });
    this.machine = host.machine(mentions([]));
    // A workload that was taken out while nobody was at work has its preStop hook all the same.
    this.remember(before.load().resources);
  }

  /** Looks unless that was a moment ago. */
  async recent(): Promise<void> {
    if (Date.now() - this.looked > RECENT) await this.look();
  }

  /** Takes what the manifests say now; tells in how many ms they should be looked at again, if they are being written. */
  async look(): Promise<number | undefined> {
    const { host, parse } = this.options;
    this.looked = Date.now();
    const found: Look = this.files.scan();
    const known = new Map<string, string | undefined>();
    const contents = found.contents.map((content) => this.trusted(content, known));
    const news = contents.filter((content) => !this.parsed.has(content));
    try {
      if (news.length > 0) for (const [index, file] of (await parse(news)).entries()) this.parsed.set(news[index] as FileContent, file);
    } catch (error) {
      this.options.warn(`what manifests say now is not known: ${(error as Error).message}; what they said before holds`);
      return undefined;
    }
    const changed = this.set.update(contents, { calm: found.calmIn === 0 });
    const machine = this.withTrusted(factsFor(host, this.set.manifests, this.machine), known);
    if (changed !== undefined || !sameFacts(this.machine, machine)) this.load(machine);
    return found.again ?? (this.set.lingers ? found.calmIn : undefined);
  }

  private load(machine: Machine): void {
    this.machine = machine;
    this.desired = desire(this.set.manifests, machine);
    this.remember(this.desired.resources);
    const objects = [...this.desired.resources].map(([key, { spec, origin, annotations }]) => [
      key,
      { spec: JSON.stringify(spec), file: origin.file, line: origin.line, annotations },
    ]);
    replaceFile(this.memory, JSON.stringify({ objects }), 0o600);
  }

  /** What the last monitor had in force; a broken manifest means that. */
  private before(): LastInForce {
    const { objects = [] } = (readJson(this.memory) ?? {}) as Partial<State>;
    return lastInForce({ objects, applied: [], events: [] });
  }

  private remember(resources: Desired["resources"]): void {
    for (const resource of resources.values()) {
      if (resource.kind !== "Workload") continue;
      const known = this.commands.get(resource.name) ?? new Map<string, Allowed>();
      this.commands.set(resource.name, known);
      for (const [command, allowed] of commandsOf(resource.run)) known.set(command, allowed);
    }
  }

  /** Forgets the commands of workloads that are neither declared nor there. */
  forget(isThere: (workload: string) => boolean): void {
    for (const name of this.commands.keys()) if (!this.desired.resources.has(`Workload/${name}`) && !isThere(name)) this.commands.delete(name);
  }

  /** What else manifests say by what stands in other files. Images are known by their digest. */
  private withTrusted(machine: Machine, known: Map<string, string | undefined>): Machine {
    const { user } = this.options;
    const envFiles = [...machine.envFiles].map(([file, fact]): [string, EnvFileFact] => {
      const problem = fact && whyUntrusted(file, user, known);
      return [file, problem === undefined ? fact : { problem }];
    });
    const { confinement } = machine;
    if (!confinement) return { ...machine, envFiles: new Map(envFiles) };
    const profiles = Object.entries(confinement.seccompProfiles).map(([file, fact]) => {
      const problem = whyUntrusted(file, user, known);
      return [file, problem === undefined ? fact : { problem: `is not used: ${problem}` }] as const;
    });
    return { ...machine, envFiles: new Map(envFiles), confinement: { ...confinement, seccompProfiles: Object.fromEntries(profiles) } };
  }

  private readonly distrusted = new Map<string, FileContent>();

  /** A manifest that the controller's user may change is none: it would be that user's way to root. */
  private trusted(content: FileContent, known: Map<string, string | undefined>): FileContent {
    const { path } = content;
    // A name with control characters in it is shown in quotes: it is not the file's.
    const why = "problem" in content ? undefined : path.startsWith('"') ? "its name has control characters" : whyUntrusted(path, this.options.user, known);
    if (why === undefined) {
      this.told.delete(path);
      return content;
    }
    if (!this.told.has(path)) this.options.warn(`${path} is not followed: ${why}`);
    this.told.add(path);
    const before = this.distrusted.get(path);
    if (before && "problem" in before && before.problem.message === why) return before;
    const refused: FileContent = { path, problem: { reason: "FileUnreadable", file: path, line: 0, column: 0, pointer: "", message: why } };
    this.distrusted.set(path, refused);
    return refused;
  }

  /** Documents whose value is what it was keep their identity. Where their fields stand is not known here, and not needed. */
  private read(content: FileContent, previous: ReadFile | undefined): ReadFile {
    const { path } = content;
    const file = this.parsed.get(content) ?? { documents: [] };
    if ("problem" in file) return { path, documents: [], problem: file.problem };
    const known = new Map(previous?.documents.map((document) => [`${document.origin.line} ${document.origin.text}`, document]));
    const documents = file.documents.map(({ line, ...parsed }) => {
      const text = `# ${JSON.stringify(parsed)}`;
      return known.get(`${line} ${text}`) ?? readDocument({ file: path, line, text }, parsed);
    });
    return { path, documents };
  }
}
