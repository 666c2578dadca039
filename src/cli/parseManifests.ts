/** Knows the verb that a monitor starts for itself alone: texts of manifests in, their values out (monitor/parser.ts). */
import { parseAll } from "../monitor/parser.ts";

export async function parseManifests(): Promise<number> {
  await parseAll(process.stdin, process.stdout);
  return 0;
}
