/** Knows libcgroup's cgconfig.conf (cgconfig.conf(5)): groups and templates with their controllers' parameters; and how they become LimitGroups. */
import { type DraftObject, draft, type Imported, Names, NotImportable } from "./draft.ts";
import { type KernelValues, kernelFileNamed, limitsOf, plainNumber } from "./kernelValues.ts";

export interface ConfiguredGroup {
  /** `daemons/www`, or `students/%u` of a template. */
  readonly path: string;
  readonly line: number;
  readonly values: KernelValues;
}

export interface CgConfig {
  readonly groups: readonly ConfiguredGroup[];
  readonly templates: readonly ConfiguredGroup[];
  readonly notes: readonly string[];
}

interface Token {
  readonly text: string;
  readonly line: number;
}

/** Words, quoted strings, and the four marks. */
function tokensOf(text: string, file: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  for (const [match] of text.matchAll(/#[^\n]*|\n|"[^"\n]*"|[{}=;]|[^\s{}=;"#]+|\S/g)) {
    if (match === "\n") line++;
    else if (match === '"') throw new NotImportable(`${file}:${line}: expected a closing quotation mark`);
    else if (!match.startsWith("#")) tokens.push({ text: match.startsWith('"') ? match.slice(1, -1) : match, line });
  }
  return tokens;
}

/** Throws NotImportable where the text is no such file. */
export function parseCgConfig(text: string, file: string): CgConfig {
  const tokens = tokensOf(text, file);
  const [groups, templates, notes]: [ConfiguredGroup[], ConfiguredGroup[], string[]] = [[], [], []];
  let at = 0;
  const next = (): Token => {
    const token = tokens[at++];
    if (!token) throw new NotImportable(`${file}:${tokens.at(-1)?.line ?? 1}: expected more: the file ends in the middle of a section`);
    return token;
  };
  const expect = (mark: string): void => {
    const { text: found, line } = next();
    if (found !== mark) throw new NotImportable(`${file}:${line}: expected ${mark}, found ${found}`);
  };
  const skip = (): void => {
    for (let depth = 1; depth > 0; ) {
      const { text: found } = next();
      if (found === "{") depth++;
      if (found === "}") depth--;
    }
  };
  const parameters = (values: Map<string, Map<string, string>>): void => {
    for (let token = next(); token.text !== "}"; token = next()) {
      expect("=");
      const { text: value } = next();
      expect(";");
      const known = kernelFileNamed(token.text);
      if (!known) {
        notes.push(`${file}:${token.line}: ${token.text} = ${value} is left out: Holdfast has no such limit`);
        continue;
      }
      const text = value
        .split("\n")
        .map((line) => line.trim().split(/\s+/).map(plainNumber).join(" "))
        .join("\n");
      const byKey = values.get(token.text) ?? new Map<string, string>();
      for (const [key, one] of known.entries(text)) byKey.set(key, one);
      values.set(token.text, byKey);
    }
  };
  const group = (): ConfiguredGroup => {
    const { text: name, line } = next();
    const values = new Map<string, Map<string, string>>();
    if (name.split("/").includes("..")) throw new NotImportable(`${file}:${line}: expected the path of a cgroup, found ${name}`);
    expect("{");
    for (let section = next(); section.text !== "}"; section = next()) {
      expect("{");
      if (section.text === "perm") {
        notes.push(`${file}:${section.line}: perm of ${name} is left out: Holdfast's cgroups belong to root`);
        skip();
      } else parameters(values);
    }
    return { path: name.replace(/^\/+|\/+$/g, ""), line, values };
  };
  while (at < tokens.length) {
    const { text: section, line } = next();
    if (section === "group") groups.push(group());
    else if (section === "template") templates.push(group());
    else if (["mount", "namespace", "default", "systemd"].includes(section)) {
      expect("{");
      skip();
      if (section !== "mount") notes.push(`${file}:${line}: the section ${section} is left out`);
    } else throw new NotImportable(`${file}:${line}: expected group, template, mount, namespace, default or systemd, found ${section}`);
  }
  return { groups: merged(groups), templates, notes };
}

/** Said in several blocks it is one group: later values count. */
function merged(groups: readonly ConfiguredGroup[]): ConfiguredGroup[] {
  const byPath = new Map<string, ConfiguredGroup>();
  for (const group of groups) {
    const before = byPath.get(group.path);
    byPath.set(group.path, before ? { ...before, values: new Map([...before.values, ...group.values]) } : group);
  }
  return [...byPath.values()];
}

/** Groups as LimitGroups of Holdfast's own, nested as they were; or, to `govern`, where they are. */
export function groupsToObjects(
  groups: readonly ConfiguredGroup[],
  file: string,
  govern: boolean,
  names = new Names(),
): Imported & { readonly nameOf: ReadonlyMap<string, string> } {
  const notes: string[] = [];
  const objects: DraftObject[] = [];
  const nameOf = new Map<string, string>();
  const valuesOf = new Map(groups.filter(({ path }) => path !== "" && path !== ".").map((group) => [group.path, group]));
  for (const { path, line } of groups) if (path === "" || path === ".") notes.push(`${file}:${line}: the root group is left out: Holdfast never writes there`);
  // A group's parents exist by its path alone.
  const paths = new Set(
    [...valuesOf.keys()].flatMap((path) => (govern ? [path] : path.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/")))),
  );
  for (const path of [...paths].sort()) {
    const name = names.make(path);
    nameOf.set(path, name);
    const group = valuesOf.get(path);
    const limits = group ? limitsOf(group.values, (note) => notes.push(`${file}${group.line > 0 ? `:${group.line}` : ""}: ${path}: ${note}`), govern) : {};
    const above = path.includes("/") ? nameOf.get(path.slice(0, path.lastIndexOf("/"))) : undefined;
    const place = govern ? { cgroupPath: path } : above === undefined ? {} : { parentRef: { name: above } };
    objects.push(draft("LimitGroup", name, { ...place, ...(Object.keys(limits).length > 0 ? { limits } : {}) }));
  }
  return { objects, notes, nameOf };
}
