/** Reads manifests from text, for tests. */
import { problemLine } from "../../src/api/problem.ts";
import { link, type Manifests } from "../../src/manifest/link.ts";
import { type FileContent, readFile } from "../../src/manifest/read.ts";

/** `{"a.yaml": text}` to what is in force. */
export function manifestsOf(files: Readonly<Record<string, string>>, previous?: Manifests): Manifests {
  const contents: FileContent[] = Object.entries(files).map(([path, text]) => ({ path, text }));
  return link(
    contents.map((content) => readFile(content)),
    previous,
  );
}

/** The problems of one document, as lines. */
export function problemsOf(text: string): string[] {
  return manifestsOf({ "a.yaml": text }).problems.map(problemLine);
}

export const group = (name: string, spec = "{}"): string => `apiVersion: holdfast.dev/v1alpha1\nkind: LimitGroup\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
export const workload = (name: string, spec = "{command: [sleep, '1000']}"): string =>
  `apiVersion: holdfast.dev/v1alpha1\nkind: Workload\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
