/** Knows how a run of the program begins and ends: streams, exit codes. The only process.exit of a finished program. */
import { writeSync } from "node:fs";
import { CommanderError } from "commander";
import { printable } from "./api/printable.ts";
import { reader } from "./cli/reader.ts";
import { buildProgram } from "./program.ts";

/** Verbs whose exit code 1 means "differences": their errors are 2. */
const ERRORS_ARE_2 = new Set(["diff", "audit"]);

/** A last word, past streams that do not work. */
function complain(message: string): void {
  try {
    writeSync(2, `holdfast: ${message}\n`);
  } catch {
    // nobody is there to hear it
  }
}

export async function main(argv: readonly string[]): Promise<number> {
  // A reader that went away (head, less) is no error. What runs for long has a way to end in order: it takes that.
  const failed = ERRORS_ARE_2.has(argv.find((word) => !word.startsWith("-")) ?? "") ? 2 : 1;
  let told = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (told) return;
      told = true;
      const gone = error.code === "EPIPE";
      if (!gone) complain(`what there is to say could not be written: ${error.message}`);
      // A full disk is no reason for a controller to leave its host alone.
      if (gone ? !reader.emit("gone") : process.listenerCount("SIGTERM") === 0) process.exit(gone ? 0 : failed);
    });
  }
  let code = 0;
  const completing = argv.some((word) => word === "completion" || word === "complete");
  const program = buildProgram((result) => {
    code = result;
  }, completing);
  if (completing) (await import("@bomb.sh/tab/commander")).default(program, { completionCommandName: "completion" });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : failed;
    const { message, stack, exitCode, syscall } = error as NodeJS.ErrnoException & { exitCode?: number };
    const verbose = argv.includes("-v") || argv.includes("--verbose");
    const text = (verbose || (exitCode === undefined && syscall === undefined) ? stack : message) ?? "";
    process.stderr.write(`holdfast: ${text.split("\n").map(printable).join("\n")}\n`);
    return Math.max(exitCode ?? failed, failed);
  }
}
