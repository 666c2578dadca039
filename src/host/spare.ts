/**
 * Knows how to start a shell at once. To fork a process as large as the controller takes longer than all the rest of a start:
 * a shell that was started before waits on a pipe for its words, and becomes what it is told.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { DEFAULT_PATH } from "../oci/config.ts";
import { isDoomed } from "./procfs.ts";

/** What a shell is started with: its program (or what executes that), arguments, all its variables, its output. */
interface Shell {
  readonly program: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Descriptor of the file that standard output and error append to. */
  readonly output: number;
}

/** Longer ones are left to spawn(), which tells what the kernel has against them. */
const LONGEST = 64 * 1024;

export class Spare {
  private waiting: ChildProcess | undefined;

  /** Keeps a shell ready. It ends by itself when this process does: its pipe ends then. */
  prepare(): void {
    if (this.waiting) return;
    const shell = spawn("/bin/sh", ["-s"], { detached: true, stdio: ["pipe", "ignore", "ignore"], env: { PATH: DEFAULT_PATH }, cwd: "/" });
    const gone = (): void => {
      if (this.waiting === shell) this.waiting = undefined;
    };
    // Whoever takes it hears of its end by itself.
    shell.on("error", gone).once("exit", gone);
    shell.stdin?.on("error", gone);
    shell.unref();
    (shell.stdin as unknown as { unref(): void }).unref();
    this.waiting = shell;
  }

  /** Lets go of the shell that waits. */
  close(): void {
    this.waiting?.stdin?.destroy();
    this.waiting = undefined;
  }

  /** A shell in a session of its own, in `/`: the one that waits, or else a new one. Throws when its words are too long. */
  start({ program, args, env, output }: Shell): ChildProcess {
    const { waiting } = this;
    this.waiting = undefined;
    const words = lineOf([...program, ...args], env, output);
    if (waiting?.pid === undefined || isDoomed(waiting.pid) || words.length > LONGEST) {
      waiting?.stdin?.destroy();
      return trySpawn(program[0] ?? "/bin/sh", [...program.slice(1), ...args], {
        detached: true,
        stdio: ["ignore", output, output],
        env,
        cwd: "/",
      });
    }
    waiting.stdin?.end(words);
    return waiting;
  }
}

/** What tells the waiting shell to become another. The output is what is open here, whatever has its name meanwhile. */
function lineOf(words: readonly string[], env: Shell["env"], output: number): string {
  const variables = Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}; `);
  return `${variables.join("")}exec </dev/null >>/proc/${process.pid}/fd/${output} 2>&1 ${words.map(quoted).join(" ")}\n`;
}

/** A word as a shell reads it. */
export const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** spawn(), with words for what the kernel has against words that are too long. */
function trySpawn(...words: Parameters<typeof spawn>): ReturnType<typeof spawn> {
  try {
    return spawn(...words);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "E2BIG") throw error;
    throw new Error("the command and its environment are too long for the kernel (E2BIG: 131071 bytes in one word, ARG_MAX in all; execve(2))");
  }
}
