/**
 * Knows how the monitor has YAML parsed: by a process that is started for that alone, without any privilege, fed with texts and read like any stranger. It runs as a user that nothing else runs as:
 * the controller's may send signals to its own processes, and one of them makes Node listen to a debugger (SIGUSR1).
 */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import type { Problem } from "../api/problem.ts";
import { parseDocument } from "../manifest/parse.ts";
import { documentsOf, type FileContent } from "../manifest/read.ts";
import { DEFAULT_PATH } from "../oci/config.ts";

/** What a file comes to before anything is validated. */
export type ParsedFile =
  | { readonly problem: Problem }
  | { readonly documents: readonly ({ readonly line: number } & ({ readonly value: unknown } | { readonly problems: readonly Problem[] }))[] };

/** ms; characters of what may come of all manifests, and of what it may say else. */
const [LONGEST, MOST, MOST_COMPLAINT] = [60_000, 512 * 1024 * 1024, 1000];

/** The parser's side: from contents to values, both as JSON. */
export async function parseAll(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<void> {
  const contents = JSON.parse(await text(input)) as readonly FileContent[];
  output.write(
    JSON.stringify(
      contents.map((content): ParsedFile => {
        const found = documentsOf(content);
        if ("reason" in found) return { problem: found };
        return { documents: found.map((origin) => ({ line: origin.line, ...parseDocument(origin) })) };
      }),
    ),
  );
}

/** Rejects when the parser did not do its work. */
export type Parse = (contents: readonly FileContent[]) => Promise<readonly ParsedFile[]>;

/** The monitor's side. `command`: what starts a parser, made anew each time. `signal`: it is not wanted any more. */
export const parseBy =
  (command: () => readonly string[], signal: AbortSignal): Parse =>
  async (contents) => {
    const [program = "", ...args] = command();
    const child = spawn(program, args, { stdio: "pipe", detached: true, cwd: "/", env: { PATH: DEFAULT_PATH }, signal, killSignal: "SIGKILL" });
    const timer = setTimeout(() => child.kill("SIGKILL"), LONGEST);
    let [said, complained] = ["", ""];
    const ended = new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, name) => (code === 0 ? resolve() : reject(new Error(`the parser ended with ${name ?? `exit code ${code}`}${complained}`))));
    });
    child.stdin.on("error", () => {}); // its end tells more
    child.stdin.end(JSON.stringify(contents));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (complained = `${complained || ": "}${chunk}`.slice(0, MOST_COMPLAINT)));
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
      if (said.length > MOST) child.kill("SIGKILL");
    });
    try {
      await ended;
    } finally {
      clearTimeout(timer);
    }
    return checked(JSON.parse(said), contents.length);
  };

/** It may have been anything that has said that. What the values are is for validation to find out. */
function checked(parsed: unknown, length: number): readonly ParsedFile[] {
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
  const isDocument = (value: unknown): boolean =>
    isObject(value) && Number.isSafeInteger(value["line"]) && ("value" in value || (Array.isArray(value["problems"]) && value["problems"].every(isObject)));
  const isFile = (value: unknown): boolean =>
    isObject(value) && (isObject(value["problem"]) || (Array.isArray(value["documents"]) && value["documents"].every(isDocument)));
  if (!Array.isArray(parsed) || parsed.length !== length || !parsed.every(isFile)) throw new Error("the parser said what it never says");
  return parsed as readonly ParsedFile[];
}
