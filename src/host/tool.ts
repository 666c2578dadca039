/** Knows how to run a program of the host to its end, beside everything else. */
import { spawn } from "node:child_process";
import { DEFAULT_PATH } from "../oci/config.ts";
import { ImageRefused } from "../oci/image.ts";

/** Characters of what it says. */
const MOST = 2000;

/** Throws ImageRefused with what it had to say last, unless it ends with 0. */
export function runTool(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], env: { PATH: DEFAULT_PATH, LC_ALL: "C" }, cwd: "/" });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-MOST)));
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(new ImageRefused(error.code === "ENOENT" ? `${program} is not installed` : `${program}: ${error.message}`)),
    );
    child.once("close", (code, signal) =>
      code === 0 ? resolve() : reject(new ImageRefused(`${program} failed (${signal ?? `exit code ${code}`}): ${said.trim().split("\n").at(-1)}`)),
    );
  });
}
