/** Knows `holdfast validate`: are these manifests sound? No root, no host; or, with a snapshot, what that host would say of them. */
import { namedTwice } from "../plan/govern.ts";
import { type GlobalOptions, manifestDirectory, openEngine, readManifests } from "./context.ts";
import { note, out, plural, problemText } from "./print.ts";

export function validate(options: GlobalOptions & { output: "text" | "json" }): number {
  const directory = manifestDirectory(options);
  const { problems: found, resources } =
    options.snapshot === undefined ? readManifests(directory, { trust: "any" }).manifests : openEngine(options).engine.desired;
  const problems = options.snapshot === undefined ? [...found, ...namedTwice(resources.values())] : found;
  if (options.output === "json") out(JSON.stringify({ valid: problems.length === 0, objects: [...resources.keys()], problems }, null, 2));
  else for (const problem of problems) out(problemText(problem));
  const sound = plural(resources.size, "object is sound", "objects are sound");
  note(problems.length === 0 ? `${directory}: ${sound}` : `${directory}: ${plural(problems.length, "problem")}, ${sound}`);
  return problems.length === 0 ? 0 : 1;
}
