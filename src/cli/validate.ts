/** Knows `holdfast validate`: are these manifests sound? No root, no host. */
import { type GlobalOptions, manifestDirectory, readManifests } from "./context.ts";
import { note, out, plural, problemText } from "./print.ts";

export function validate(options: GlobalOptions & { output: "text" | "json" }): number {
  const directory = manifestDirectory(options);
  const { problems, resources } = readManifests(directory, { trust: "any" }).manifests;
  if (options.output === "json") out(JSON.stringify({ valid: problems.length === 0, objects: [...resources.keys()], problems }, null, 2));
  else for (const problem of problems) out(problemText(problem));
  const sound = plural(resources.size, "object is sound", "objects are sound");
  note(problems.length === 0 ? `${directory}: ${sound}` : `${directory}: ${plural(problems.length, "problem")}, ${sound}`);
  return problems.length === 0 ? 0 : 1;
}
