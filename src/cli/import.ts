/** Knows `holdfast import`: manifests from what people have today. Prints them; what could not be said is a note. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { liveGroups } from "../host/liveGroups.ts";
import { readRegular } from "../host/regular.ts";
import { groupsToObjects, parseCgConfig } from "../import/cgconfig.ts";
import { rulesToObjects } from "../import/cgrules.ts";
import { composeToObjects } from "../import/compose.ts";
import { dockerRunToObjects } from "../import/docker.ts";
import { type Imported, NotImportable } from "../import/draft.ts";
import { unitToObjects } from "../import/unit.ts";
import { parseDocument } from "../manifest/parse.ts";
import { readFile } from "../manifest/read.ts";
import { mentions } from "../plan/desire.ts";
import { type GlobalOptions, openKernel, placesOf, UsageError } from "./context.ts";
import { note, out, plural, problemText, structured } from "./print.ts";

export interface ImportOptions extends GlobalOptions {
  readonly as?: "own" | "governed";
  readonly rules?: string;
  readonly users?: string;
}

export const SOURCES = ["cgconfig", "cgrules", "unit", "docker", "compose", "cgroup"] as const;

/** Bytes: what people have written by hand is smaller. */
const LARGEST = 16 * 1024 * 1024;

function textOf(file: string): string {
  try {
    return file === "-" ? readFileSync(0, "utf8") : readRegular(file, LARGEST).toString("utf8");
  } catch (error) {
    throw new UsageError(`${file} ${(error as Error).message}`);
  }
}

export async function importManifests(source: string, args: readonly string[], options: ImportOptions): Promise<number> {
  let imported: Imported;
  try {
    imported = read(source, args, options);
  } catch (error) {
    if (error instanceof NotImportable) throw new UsageError(error.message);
    throw error;
  }
  const { objects, notes } = imported;
  const documents = await Promise.all(objects.map((object) => structured(object, "yaml")));
  const text = `${documents.join("\n---\n")}\n`;
  if (objects.length > 0) out(text.trimEnd());
  for (const each of notes) note(each);
  // What comes out must be what goes in.
  const problems = objects.length === 0 ? [] : readFile({ path: "printed", text }).documents.flatMap((document) => document.problems);
  for (const problem of problems) note(problemText(problem));
  note(
    `${plural(objects.length, "object")}, ${plural(notes.length, "note")}${problems.length > 0 ? `, ${plural(problems.length, "problem")}: mend what is printed` : ""}`,
  );
  return problems.length > 0 || objects.length === 0 ? 1 : 0;
}

function read(source: string, args: readonly string[], options: ImportOptions): Imported {
  const [first] = args;
  const users = (options.users ?? "").split(",").filter(Boolean);
  if (source === "docker") return dockerRunToObjects(args);
  if (first === undefined) throw new UsageError(`import ${source}: expected a ${source === "cgroup" ? "cgroup's path" : "file"}`);
  switch (source) {
    case "cgconfig": {
      const { groups, templates, notes } = parseCgConfig(textOf(first), first);
      const found =
        options.rules === undefined
          ? groupsToObjects(groups, first, options.as === "governed")
          : rulesToObjects(textOf(options.rules), options.rules, { file: first, groups, templates }, users);
      const unused =
        options.rules === undefined ? templates.map(({ path, line }) => `${first}:${line}: the template ${path} becomes groups by rules: --rules FILE`) : [];
      return { objects: found.objects, notes: [...notes, ...unused, ...found.notes] };
    }
    case "cgrules":
      return rulesToObjects(textOf(first), first, { file: first, groups: [], templates: [] }, users);
    case "unit": {
      const files = args.map((file) => ({ file, text: textOf(file) }));
      return unitToObjects(basename(first), files);
    }
    case "compose": {
      const parsed = parseDocument({ file: first, line: 1, text: textOf(first) }, { merge: true });
      if ("problems" in parsed) throw new UsageError(parsed.problems.map((problem) => problemText(problem)).join("\n"));
      return composeToObjects(parsed.value, first);
    }
    case "cgroup": {
      const host = openKernel(placesOf(options));
      const path = first.replace(/^\/+|\/+$/g, "");
      if (path === "") throw new UsageError("import cgroup: the root cgroup is never governed; name one below it");
      const groups = liveGroups(host.files, host.machine(mentions([])), path);
      if (groups.length === 0) throw new UsageError(`import cgroup: there is no cgroup ${path}`);
      const limited = groups.filter(({ values }) => values.size > 0);
      return groupsToObjects(options.as === "own" ? groups : limited, path, options.as !== "own");
    }
    default:
      throw new UsageError(`import: expected one of ${SOURCES.join(", ")}, found ${source}`);
  }
}
