/** Knows `holdfast explain CGROUP FILE`: what a limit comes to, cgroup by cgroup from the top, who asked for each value, and what became of it. */
import { join } from "node:path";
import { isBounded, tightest } from "../cgroup/effective.ts";
import type { FileEntry, Machine } from "../cgroup/machine.ts";
import { type CgroupPath, ROOT } from "../cgroup/path.ts";
import { shownValue } from "../cgroup/show.ts";
import { auditFiles, lastEntry } from "../host/auditLog.ts";
import { lineOf } from "../manifest/locate.ts";
import { suggest } from "../manifest/suggest.ts";
import { pointerOf } from "../plan/source.ts";
import type { Engine } from "../reconcile/engine.ts";
import { ageOf } from "../serve/cells.ts";
import { type GlobalOptions, openEngine, UsageError } from "./context.ts";
import { colour, out, table } from "./print.ts";

interface Level {
  /** As the kernel names it, below the mount. */
  readonly name: string;
  /** Below Holdfast's root; undefined: above it. */
  readonly path: CgroupPath | undefined;
  readonly value: string | undefined;
}

export async function explainValue(cgroup: string, name: string, options: GlobalOptions): Promise<number> {
  const { engine } = openEngine(options);
  const path = pathOf(cgroup, engine);
  const found = [...engine.machine.tables].flatMap(([hierarchy, entries]) =>
    entries.filter((entry) => entry.knob === name || entry.file.name === name).map((entry) => ({ hierarchy, entry })),
  );
  if (found.length === 0) throw new UsageError(`no kernel file here carries ${name}${hint(name, engine.machine)}`);
  let shown = 0;
  for (const { hierarchy, entry } of found) shown += await explainFile(engine, path, hierarchy, entry);
  if (shown === 0) throw new UsageError(`there is no cgroup ${path === ROOT ? engine.host.tree.root : path} with ${name} here`);
  return 0;
}

function hint(name: string, { tables }: Machine): string {
  const names = [...tables.values()].flatMap((entries) => entries.flatMap(({ knob, file }) => [knob, file.name]));
  const suggestion = suggest(name, [...new Set(names)]);
  return suggestion ? ` (${suggestion})` : "";
}

/** `batch`, `holdfast/batch`, or a directory of any hierarchy. */
function pathOf(cgroup: string, { host: { tree, base } }: Engine): CgroupPath {
  const mount = base.controllers.all.find((hierarchy) => cgroup === hierarchy.mount || cgroup.startsWith(`${hierarchy.mount}/`))?.mount ?? "";
  const below = cgroup.slice(mount.length).replace(/^\/+|\/+$/g, "");
  const path = below === tree.root ? "" : below.startsWith(`${tree.root}/`) ? below.slice(tree.root.length + 1) : below;
  if (path.split("/").some((part) => part === ".." || part === ".") || (mount !== "" && below === path))
    throw new UsageError(`expected a cgroup below ${tree.root}, found ${cgroup}`);
  return path as CgroupPath;
}

/** From the hierarchy's root down. */
function levelsOf({ host, machine }: Engine, path: CgroupPath, hierarchy: string, { file }: FileEntry, key: string): Level[] {
  const { tree, files } = host;
  const { mount } = machine.controllers.all.find(({ id }) => id === hierarchy) ?? { mount: "" };
  const read = (name: string): string | undefined => {
    const text = files.read(join(mount, name, file.readFrom ?? file.name));
    return text === undefined ? undefined : (file.entries(text).find(([there]) => there === key)?.[1] ?? file.initial(key));
  };
  const names = [...tree.root.split("/"), ...(path === ROOT ? [] : path.split("/"))];
  const depth = tree.root.split("/").length;
  return ["", ...names].map((_, index) => {
    const name = names.slice(0, index).join("/");
    return { name: `/${name}`, path: index < depth ? undefined : (names.slice(depth, index).join("/") as CgroupPath), value: read(name) };
  });
}

async function explainFile(engine: Engine, path: CgroupPath, hierarchy: string, entry: FileEntry): Promise<number> {
  const { file, knob } = entry;
  const keys = new Set([...declaredAt(engine, path, file.name).keys(), ...(file.entries("1")[0]?.[0] === "" ? [""] : [])]);
  let shown = 0;
  for (const key of keys) {
    const levels = levelsOf(engine, path, hierarchy, entry, key).filter(({ value, path: at }) => value !== undefined || at === path);
    if (levels.at(-1)?.value === undefined) continue;
    if (shown++ > 0 || knob !== file.name) out(colour.bold(`${file.name}${key === "" ? "" : ` ${key}`} (${hierarchy})`));
    out(
      await table(
        ["CGROUP", "VALUE", "DECLARED", "FROM"],
        levels.map((level) => rowOf(engine, level, entry, key)),
        false,
      ),
    );
    const counts =
      isBounded(file) && key === ""
        ? tightest(
            file,
            levels.map(({ value }) => value),
          )
        : levels.length - 1;
    const level = levels[counts];
    if (level?.value !== undefined)
      out(
        `${colour.bold("in effect:")} ${show(entry, level.value)}${counts === levels.length - 1 ? "" : `, because of ${level.name}`}${isBounded(file) ? "" : " (what is above has no say in it)"}`,
      );
    tellRounding(engine, path, entry, key);
    tellHistory(engine, path, entry, key);
  }
  return shown;
}

const show = ({ knob, file }: FileEntry, value: string): string => shownValue(knob, file.name, value);

const declaredAt = ({ desired }: Engine, path: CgroupPath | undefined, file: string) =>
  (path === undefined ? undefined : desired.cgroups.get(path)?.settings.get(file)) ?? new Map<string, { value: string }>();

function rowOf(engine: Engine, { name, path, value }: Level, entry: FileEntry, key: string): string[] {
  const { file, knob } = entry;
  const declared = declaredAt(engine, path, file.name).get(key)?.value;
  const owner = path === undefined ? undefined : engine.desired.cgroups.get(path)?.owner;
  const written = owner && (knob === "frozen" ? declared !== undefined : Object.hasOwn(owner.limits, knob));
  const from = (): string => {
    if (path === undefined) return "not Holdfast's";
    if (written) return lineOf(owner.origin, pointerOf(knob));
    if (declared !== undefined) return "inherited";
    if (owner) return "the kernel's default";
    return path === ROOT ? "left alone" : "declared nowhere";
  };
  const differs =
    value !== undefined && path !== undefined && path !== ROOT && owner && value !== (declared ?? file.initial(key)) && !file.name.startsWith("cpuset.");
  const shown = value === undefined ? "-" : show(entry, value);
  return [name, differs ? colour.magenta(`${shown} (differs)`) : shown, declared === undefined ? "-" : show(entry, declared), from()];
}

/** What is desired is what the kernel will make of what was written. */
function tellRounding(engine: Engine, path: CgroupPath, { file, knob }: FileEntry, key: string): void {
  const value = declaredAt(engine, path, file.name).get(key)?.value;
  const written = knob === "frozen" ? undefined : engine.desired.cgroups.get(path)?.owner?.limits[knob];
  if (typeof written !== "string" || value === written || file.settle(written, engine.machine.pageSize) !== value) return;
  out(`${colour.bold("rounding:")} the kernel makes ${value} of ${written}`);
}

/** As far as the audit log goes back. */
function tellHistory({ host }: Engine, path: CgroupPath, { file, knob }: FileEntry, key: string): void {
  const { root, logDirectory } = host.options;
  const files = auditFiles(logDirectory, root);
  const about = { action: "write", cgroup: path, file: file.name, result: "done", ...(key === "" ? {} : { key }) };
  const tell = (title: string, match: object, words: (entry: Readonly<Record<string, unknown>>) => string): void => {
    const entry = lastEntry(files, match);
    const time = String(entry?.["time"]);
    if (entry) out(`${colour.bold(`${title}:`)} ${time} (${ageOf(time, Date.now())} ago): ${words(entry)}`);
  };
  const value = (text: unknown): string => shownValue(knob, file.name, String(text));
  tell("last applied", about, ({ from, to }) => `${value(from)} → ${value(to)}`);
  tell("last drift", { ...about, cause: "drift" }, ({ from }) => `somebody had written ${value(from)}`);
}
